"""What application code calls to add and manage jobs."""
