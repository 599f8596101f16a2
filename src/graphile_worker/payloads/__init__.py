"""Payload type to JSON text and back.

`codec` says what a codec is and holds the JSON of raw payloads; `select` finds the codec of a type:
`typed` for what msgspec knows, `pydantic_models` where the type is pydantic's. `read_back` and
`faults` are what makes adding strict: a payload that the handler would not get as it was given is
refused before it is stored.
"""
