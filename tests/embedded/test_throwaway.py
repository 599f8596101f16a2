"""Where temporary servers have their data."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from graphile_worker.embedded.server import EmbeddedPostgres
from graphile_worker.embedded.throwaway import throwaway_folder

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has one")


def usual() -> Path:
    return Path(tempfile.gettempdir())


@ON_LINUX
def test_it_is_in_memory_where_there_is_room(place: Path) -> None:
    assert throwaway_folder({}, memory=place, room=1) == place
    assert throwaway_folder({}, memory=place, room=2**60) == usual()


@ON_LINUX
@pytest.mark.parametrize(("limit", "is_there"), [("max", True), ("3000", True), ("1500", False)])
def test_what_a_container_may_use_counts(place: Path, limit: str, is_there: bool) -> None:
    (place / "memory.max").write_text(f"{limit}\n")
    (place / "memory.current").write_text("1000\n")
    folder = throwaway_folder({}, memory=place, container=place, room=1000)
    assert folder == (place if is_there else usual())


def test_without_such_a_file_system_it_is_where_temporary_files_are(place: Path) -> None:
    assert throwaway_folder({}, memory=place / "missing", room=0) == usual()


@pytest.mark.parametrize("name", ["TMPDIR", "TEMP", "TMP"])
def test_whoever_names_a_folder_is_followed(place: Path, name: str) -> None:
    assert throwaway_folder({name: "/somewhere"}, memory=place, room=0) == usual()


def test_a_server_is_made_there_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR")
    with EmbeddedPostgres.start() as server:
        assert server.folder.parent == throwaway_folder()
    assert not server.folder.exists()
