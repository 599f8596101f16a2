"""What tests of tasks need: databases, contexts, and a worker that empties the queue.

`databases` makes a fresh, migrated database for each test, on a server of the test run.
"""
