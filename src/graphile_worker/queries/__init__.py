"""Every statement the library sends: pure functions that return a `Statement`.

`sql/` holds the texts, one statement a file, named as the function that fills it. Nothing here
does I/O but for reading those packaged files once.
"""
