"""The pages of the admin application, rendered on the server."""
