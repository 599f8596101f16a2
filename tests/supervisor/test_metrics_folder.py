"""The folder through which processes share their metrics."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from graphile_worker import ConfigurationError
from graphile_worker.supervisor.pages import shared_metrics

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def test_a_folder_is_made_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with shared_metrics() as folder:
        assert folder is not None
        assert Path(folder).is_dir()
    assert not Path(folder).exists()


def test_where_none_can_be_made_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    message = f"missing.*mount a /tmp that can be written, or name a folder in TMPDIR or {VARIABLE}"
    with pytest.raises(ConfigurationError, match=message), shared_metrics():
        pass
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with shared_metrics() as folder:
        assert folder == str(tmp_path)
