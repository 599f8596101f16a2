"""Help for the tests of programs that use this library; our own tests use it too.

`context` makes what a handler is given, `drain` runs everything that is due, and the pytest plugin,
which is there as soon as this package is installed, has the fixtures `gw_database` and `gw_utils`.
"""

from graphile_worker.testing.context import context
from graphile_worker.testing.drain import drain

__all__ = ["context", "drain"]
