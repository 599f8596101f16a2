"""Where the health and metrics server listens."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from graphile_worker.errors import ConfigurationError

_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host and a port; port 0 is any that is free."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, beyond_loopback: bool) -> ListenAddress:
        """The address in `HOST:PORT`; IPv6 as `[::1]:8464`, `:8464` is every address.

        Args:
            text: what an option says.
            beyond_loopback: whether other machines are to reach it.

        Raises:
            ConfigurationError: it is no address, or other machines could reach it unasked.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > _HIGHEST_PORT:
            raise ConfigurationError(f"listen must be HOST:PORT, like 127.0.0.1:8464, got {text!r}")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        if not beyond_loopback and not is_loopback(host):
            raise ConfigurationError(
                f"listen={text!r} can be reached from other machines, and asks nobody who they "
                "are; say listen_beyond_loopback=True (--listen-beyond-loopback) if that is meant"
            )
        return cls(host, int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host of this name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
