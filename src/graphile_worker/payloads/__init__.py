"""Payload type to JSON text and back."""
