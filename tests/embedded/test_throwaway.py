"""Where temporary servers have their data."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from graphile_worker.embedded.server import EmbeddedPostgres
from graphile_worker.embedded.throwaway import IN_MEMORY, throwaway_folder

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has one")


def usual() -> Path:
    return Path(tempfile.gettempdir())


@ON_LINUX
def test_it_is_in_memory_where_there_is_room(place: Path) -> None:
    assert throwaway_folder({}, memory=place, room=1) == place
    assert throwaway_folder({}, memory=place, room=2**60) == usual()


def test_without_such_a_file_system_it_is_where_temporary_files_are(place: Path) -> None:
    assert throwaway_folder({}, memory=place / "missing", room=0) == usual()


@pytest.mark.parametrize("name", ["TMPDIR", "TEMP", "TMP"])
def test_whoever_names_a_folder_is_followed(place: Path, name: str) -> None:
    assert throwaway_folder({name: "/somewhere"}, memory=place, room=0) == usual()


def test_a_server_leaves_nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR")

    def here() -> set[Path]:
        return {*usual().glob("gw-pg-data-*"), *IN_MEMORY.glob("gw-pg-data-*")}

    before = here()
    with EmbeddedPostgres.start() as server:
        [made] = here() - before
        assert server.folder == made
        assert made.parent == throwaway_folder()
    assert made not in here()
