"""The port to PostgreSQL: what the rest of the code may ask of a driver.

A statement is a value (`Statement`): text, arguments, and how to read its rows. Whoever can send
one is an `Executor`. Drivers implement these; nothing above them imports a PostgreSQL library.
"""
