"""What was, though jobs that are done are deleted: what is counted and kept, and how it is read."""
