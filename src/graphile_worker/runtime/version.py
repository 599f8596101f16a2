"""Which version this is."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
"""As in pyproject.toml; reading the installed metadata would take longer than starting a worker."""
