"""Programs as tasks: any executable file of a folder runs the jobs that are called like it.

`folder` finds them and makes tasks of them; `program` runs one. A program gets the payload as JSON
on its standard input and the job in its environment, as with the Node.js worker. What it prints
goes to the log, and its exit code says how the job ended. No shell has a part in it.
"""
