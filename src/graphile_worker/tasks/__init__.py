"""What runs a job: tasks and what a handler is given."""
