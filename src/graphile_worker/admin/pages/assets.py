"""The files that pages load: style sheet, script, icon. Read once, compressed once."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "static"
TYPES = {
    "app.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "idiomorph.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""What is served, and as what; nothing else in the folder is."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file whose address changes with the content of all, so that browsers keep it for ever.

    One digest for all, since scripts name each other by addresses relative to their own.
    """

    name: str
    kind: str
    body: bytes
    gzipped: bytes
    digest: str

    @property
    def path(self) -> str:
        """Its address within the application."""
        return f"static/{self.digest}/{self.name}"


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """All files, by name."""
    bodies = {name: (FOLDER / name).read_bytes() for name in TYPES}
    digest = hashlib.sha256(b"\0".join(bodies.values())).hexdigest()[:12]
    return {
        name: Asset(name, TYPES[name], body, gzip.compress(body, mtime=0), digest)
        for name, body in bodies.items()
    }
