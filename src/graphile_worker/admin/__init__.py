"""The admin page and its JSON API; needs the extra `admin`.

`service` is what both are made of, and what the command line shares with them.
"""
