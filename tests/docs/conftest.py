from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.embedded_servers import processes_of


@pytest.fixture
def empty_folder() -> Iterator[Path]:
    """A folder that a server for root can reach, unlike `tmp_path`; no server is left in it."""
    folder = Path(tempfile.mkdtemp(prefix="gw-docs-"))
    folder.chmod(0o711)
    yield folder
    deadline = time.monotonic() + 15
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = processes_of(folder)
    shutil.rmtree(folder, ignore_errors=True)
    assert not left, "the embedded server outlived the page"
