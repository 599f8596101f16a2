"""Under WSGI: Flask, Django, and the server of the standard library."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.util import shift_path_info

import httpx
import pytest
from support.admin_app import SAME_ORIGIN
from support.django_settings import configure_django
from support.eventually import eventually
from support.wsgi_server import wsgi_server

from graphile_worker import ConfigurationError, SyncWorkerUtils
from graphile_worker.admin import (
    Identity,
    allow_all,
    as_wsgi,
    create_admin_app,
    proxy_header_auth,
)


@contextmanager
def served(url: str, host: Any = None, **options: Any) -> Iterator[httpx.Client]:
    """A client of the page, by itself or in a host."""
    app = as_wsgi(create_admin_app(url, **{"auth": allow_all(), **options}))
    try:
        with (
            wsgi_server(app if host is None else host(app)) as address,
            httpx.Client(base_url=address, headers=SAME_ORIGIN, timeout=30) as client,
        ):
            yield client
    finally:
        app.close()


def in_flask(app: Any) -> Any:
    from flask import Flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    flask = Flask("shop")

    @flask.get("/")
    def home() -> str:
        return "shop"

    flask.wsgi_app = DispatcherMiddleware(flask.wsgi_app, {"/ops/jobs": app})  # type: ignore[method-assign]
    return flask


def in_django(app: Any) -> Any:
    from django.core.wsgi import get_wsgi_application

    configure_django()
    django = get_wsgi_application()

    def application(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"].split("/")[1:3] == ["ops", "jobs"]:
            shift_path_info(environ)
            shift_path_info(environ)
            return app(environ, start_response)
        return django(environ, start_response)

    return application


def test_pages_and_changes_go_through(gw_database_sync: str) -> None:
    with served(gw_database_sync) as client:
        added = client.post("/api/v1/jobs", json={"task": "a/b", "payload": {"to": "ädä"}})
        assert added.status_code == 201
        assert client.get("/api/v1/jobs/1").json()["payload"]["text"] == '{\n  "to": "ädä"\n}'
        page = client.get("/jobs?task=a%2Fb")
        assert page.status_code == 200
        assert 'href="./tasks?name=a%2Fb"' in page.text
        assert client.get("/tasks?name=a%2Fb").status_code == 200
        report = client.post(
            "/jobs/act", data={"_from": "page", "do": "fail", "id": "1", "reason": "x"}
        )
        assert report.status_code == 200
        assert client.get("/api/v1/jobs?state=failed").json()["rows"][0]["id"] == 1
        assert client.head("/jobs").status_code == 200
        assert client.post("/api/v1/operations", content=b"{").status_code == 415
        assert client.post("/api/v1/everything/resume").status_code == 200  # no body at all
        assert client.get("/jobs/%ff").status_code == 404
        assert client.get("/healthz").text == "ok\n"


def test_pages_poll_since_a_stream_would_keep_a_thread(gw_database_sync: str) -> None:
    with served(gw_database_sync) as client:
        assert " data-polls" in client.get("/jobs").text
        assert client.get("/events").status_code == 503
        live = client.get("/live")
        assert live.headers["x-stream"] == "full"
        assert "pulse" in live.json()["kinds"]


@pytest.mark.parametrize("host", [in_flask, in_django])
def test_it_is_mounted_under_a_prefix(gw_database_sync: str, host: Any) -> None:
    with served(gw_database_sync, host) as client:
        slash = client.get("/ops/jobs")
        assert slash.next_request is not None
        assert slash.next_request.url.path == "/ops/jobs/"
        page = client.get("/ops/jobs/")
        assert page.status_code == 200
        style = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        assert client.get(f"/ops/jobs/{style}").headers["content-type"].startswith("text/css")
        assert client.post("/ops/jobs/api/v1/jobs", json={"task": "t"}).status_code == 201
        document = client.get("/ops/jobs/api/v1/openapi.json").json()
        assert document["servers"] == [{"url": "/ops/jobs"}]
        assert client.get("/healthz").status_code == 404


def test_all_jobs_are_exported(gw_database_sync: str) -> None:
    with SyncWorkerUtils.connect(gw_database_sync) as utils:
        for _ in range(25):
            utils.add_raw_job("big", {"text": "x" * 50_000})
    with served(gw_database_sync) as client, client.stream("GET", "/api/v1/export.ndjson") as file:
        lines = [json.loads(line) for line in file.iter_lines()]
    assert [line["id"] for line in lines] == [*range(25, 0, -1)]


def test_an_answer_that_nobody_takes_is_given_up(
    gw_database_sync: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphile_worker.admin.wsgi._TAKEN_SECONDS", 0.2)
    asked = threading.Event()
    app = as_wsgi(create_admin_app(gw_database_sync, auth=allow_all()))
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/jobs",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.input": None,
    }
    answer = iter(app(environ, lambda *_said: asked.set()))
    next(answer)
    assert asked.is_set()
    answer.close()  # type: ignore[attr-defined]
    del answer
    gc.collect()
    running = app._running
    assert running is not None
    eventually(lambda: not running.answering)
    app.close()


def test_a_function_may_ask_the_host_who_it_is(gw_database_sync: str) -> None:
    def who(scope: Any) -> Identity | None:
        name = scope["wsgi_environ"].get("HTTP_X_SESSION")
        return None if name is None else Identity.of(name, "viewer")

    with served(gw_database_sync, auth=who) as client:
        assert client.get("/api/v1/status").status_code == 401
        told = client.get("/api/v1/status", headers={"X-Session": "ada"}).json()
        assert told["user"]["name"] == "ada"


def test_a_proxy_is_known_by_its_address(gw_database_sync: str) -> None:
    headers = {"X-Forwarded-User": "ada"}
    with served(gw_database_sync, auth=proxy_header_auth("127.0.0.0/8")) as client:
        assert client.get("/api/v1/status", headers=headers).status_code == 200
    with served(gw_database_sync, auth=proxy_header_auth("10.0.0.7/32")) as client:
        assert client.get("/api/v1/status", headers=headers).status_code == 403

    def behind_proxy_fix(app: Any) -> Any:
        from werkzeug.middleware.proxy_fix import ProxyFix

        return ProxyFix(app)

    # ProxyFix lets the header name the address; the one of the connection counts.
    forged = {**headers, "X-Forwarded-For": "10.0.0.7"}
    auth = proxy_header_auth("10.0.0.7/32")
    with served(gw_database_sync, behind_proxy_fix, auth=auth) as client:
        answer = client.get("/api/v1/status", headers=forged)
        assert answer.status_code == 403
        assert "127.0.0.1 is none" in answer.json()["detail"]


def test_closing_lets_go_of_everything(gw_database_sync: str) -> None:
    before = set(threading.enumerate())
    app = as_wsgi(create_admin_app(gw_database_sync, auth=allow_all()))
    assert set(threading.enumerate()) == before  # servers fork after this
    with wsgi_server(app) as address:
        assert httpx.get(f"{address}/api/v1/jobs").status_code == 200
    assert "graphile-worker-admin" in names()
    app.close()
    eventually(lambda: "graphile-worker-admin" not in names())
    with pytest.raises(ConfigurationError, match="was closed"):
        app({}, lambda *_said: None)


def names() -> str:
    return " ".join(thread.name for thread in threading.enumerate())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_it_is_not_used_across_a_fork(
    gw_database_sync: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = as_wsgi(create_admin_app(gw_database_sync, auth=allow_all()))
    with wsgi_server(app) as address:
        assert httpx.get(f"{address}/healthz").status_code == 200
    monkeypatch.setattr("os.getpid", lambda: 1)  # what a child would see
    with pytest.raises(ConfigurationError, match="before the server forked"):
        app({}, lambda *_said: None)
    monkeypatch.undo()
    app.close()


def test_a_program_ends_that_closes_nothing(gw_database_sync: str) -> None:
    program = """
import sys, threading, urllib.request
from wsgiref.simple_server import WSGIRequestHandler, make_server
from graphile_worker.admin import allow_all, as_wsgi, create_admin_app

class Quiet(WSGIRequestHandler):
    def log_message(self, *_said): pass

app = as_wsgi(create_admin_app(sys.argv[1], auth=allow_all()))
server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/jobs").status)
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, gw_database_sync],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("200\n", "", 0)


def test_what_is_no_admin_page_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="as_wsgi takes what create_admin_app made"):
        as_wsgi(object())  # type: ignore[arg-type]


def test_without_the_extra_the_error_names_it() -> None:
    program = (
        "import sys; sys.modules['a2wsgi'] = None\n"
        "from graphile_worker.admin import allow_all, as_wsgi, create_admin_app\n"
        "as_wsgi(create_admin_app('postgres://nowhere', auth=allow_all()))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "the admin page under WSGI needs the extra 'wsgi'" in ended.stderr
