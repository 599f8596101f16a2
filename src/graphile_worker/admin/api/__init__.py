"""The JSON API: what the service knows and does, as the OpenAPI document describes it."""
