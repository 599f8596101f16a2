"""Which plugin of a worker has the metrics for `/metrics`."""

from __future__ import annotations

from graphile_worker.errors import MissingDependencyError
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.worker.http_server import Exporter
from graphile_worker.worker.settings import WorkerSettings


def add_exporter(registry: HookRegistry, options: WorkerSettings) -> None:
    """Where a worker listens and has no plugin for metrics, give it one, if it is installed."""
    if options.listen is None or exporter_of(registry) is not None:
        return
    try:
        # An optional extra, and only for those who listen.
        from graphile_worker.telemetry.prometheus import Prometheus  # noqa: PLC0415
    except MissingDependencyError:
        return
    registry.add_plugin(Prometheus())


def exporter_of(registry: HookRegistry) -> Exporter | None:
    """The first plugin that can show metrics."""
    for plugin in registry.plugins:
        if all(hasattr(plugin, name) for name in ("content_type", "observe", "render")):
            exporter: Exporter = plugin  # type: ignore[assignment]
            return exporter
    return None
