"""Everything that the admin page, its API and the command line know of a queue, and do to it.

`Reading` looks and `Changing` acts; neither knows of HTTP.
"""
