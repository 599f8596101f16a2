"""The admin page for applications that speak WSGI; needs the extra `wsgi`."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from starlette.types import Message, Receive, Scope, Send

from graphile_worker.admin.app import AdminApp
from graphile_worker.errors import ConfigurationError, MissingDependencyError

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]

_TAKEN_SECONDS: Final = 60.0
"""Within which a piece of an answer has to be taken: WSGI does not say when somebody has gone."""
_END_SECONDS: Final = 10.0
"""What closing may take."""
_ASCII: Final = "".join(map(chr, range(128)))
_RAW: Final = ("RAW_URI", "REQUEST_URI")
"""Where servers put the path as it was sent, if they do."""


def as_wsgi(app: AdminApp) -> WsgiApp:
    """The admin page as a WSGI application, for Flask, Django under WSGI, and the like.

    Pages poll instead of following a stream, which would keep a thread of the server for each.

    Args:
        app: made by `create_admin_app`, of a URL: a pool belongs to its event loop, and this has
            one of its own.

    Raises:
        ConfigurationError: it is no admin application.
        MissingDependencyError: the extra `wsgi` is missing.
    """
    if not isinstance(app, AdminApp):
        raise ConfigurationError(f"as_wsgi takes what create_admin_app made, got {app!r}")
    return WsgiApp(app)


class WsgiApp:
    """A WSGI application that runs an ASGI one in an event loop in a thread of its own.

    The thread begins with the first request, so that servers may fork before that; it and the
    connections end when the program ends, or with `close`.
    """

    def __init__(self, app: AdminApp) -> None:
        _asgi_middleware()
        self._app = app
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._is_closed = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request.

        Raises:
            ConfigurationError: it was closed, or used before this process was forked.
        """
        answered: Iterable[bytes] = self._started().bridge(_mended(environ), start_response)
        return answered

    def close(self) -> None:
        """End what is under way, the connections and the thread, for good."""
        with self._lock:
            self._is_closed = True
            running, self._running = self._running, None
        if running is not None and running.pid == os.getpid():
            atexit.unregister(self.close)
            running.close()

    def _started(self) -> _Running:
        with self._lock:
            if self._is_closed:
                raise ConfigurationError("the admin page was closed")
            if self._running is None:
                self._running = _Running(self._app)
                atexit.register(self.close)
            if self._running.pid != os.getpid():
                raise ConfigurationError(
                    "the admin page was used before the server forked, and its connections belong "
                    "to the process before; make it in each process"
                )
            return self._running


class _Running:
    """An event loop in a thread of this process, and the bridge to it."""

    def __init__(self, app: AdminApp) -> None:
        self.pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._executor = ThreadPoolExecutor(thread_name_prefix="graphile-worker-admin")
        self._loop.set_default_executor(self._executor)
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="graphile-worker-admin", daemon=True
        )
        self._thread.start()
        self._app = app
        self.answering = 0
        """Requests that are under way."""
        self.bridge = _asgi_middleware()(self._answer, loop=self._loop)

    def close(self) -> None:
        """Let go of everything."""
        asyncio.run_coroutine_threadsafe(_end(self._app), self._loop).result(_END_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_SECONDS)
        self._executor.shutdown(wait=False)  # waiting, asyncio begins a thread: too late at the end
        self._loop.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the application, as long as somebody takes its answer."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(_TAKEN_SECONDS):
                await send(message)

        self.answering += 1
        try:
            await self._app({**scope, **_known(scope)}, receive, send_in_time)
        finally:
            self.answering -= 1


async def _end(app: AdminApp) -> None:
    """Close the application, and stop what it leaves: answers that nobody takes."""
    await app.aclose()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _known(scope: Scope) -> dict[str, Any]:
    """What the bridge leaves out: who asks, the path as it was sent, and that a root is `/`."""
    environ: Mapping[str, Any] = scope["wsgi_environ"]
    # werkzeug's ProxyFix puts what headers say in the place of the address.
    address = environ.get("werkzeug.proxy_fix.orig", environ).get("REMOTE_ADDR")
    path = scope["path"] or "/"
    known: dict[str, Any] = {"client": (address, _port(environ)) if address else None, "path": path}
    sent: list[str] = [environ[name] for name in _RAW if environ.get(name)]
    raw = urlsplit(sent[0]).path if sent else ""
    if unquote(raw) == path:
        known["raw_path"] = raw.encode("latin-1", "replace")
    return known


def _port(environ: Mapping[str, Any]) -> int:
    text = str(environ.get("REMOTE_PORT", ""))
    return int(text) if text.isascii() and text.isdigit() else 0


def _mended(environ: Environ) -> Environ:
    """A request that the bridge can read.

    Some servers make empty headers of missing ones, and an address may hold bytes that are no text.
    """
    empty = [name for name in ("CONTENT_LENGTH", "CONTENT_TYPE") if environ.get(name) == ""]
    path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace")
    return {
        **{name: value for name, value in environ.items() if name not in empty},
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": quote(environ.get("QUERY_STRING", ""), safe=_ASCII, encoding="latin-1"),
    }


def _asgi_middleware() -> Any:
    """The bridge's class; its names for ASGI's types are others than Starlette's."""
    try:
        from a2wsgi import ASGIMiddleware  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as error:
        raise MissingDependencyError("the admin page under WSGI", "wsgi") from error
    return ASGIMiddleware
