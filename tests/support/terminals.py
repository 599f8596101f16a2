"""Plays the console blocks of the documentation as a reader would: in terminals."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from support.command_line import environment
from support.doc_blocks import Block

_SECONDS = 30.0
_COLUMNS = 100
_STYLES = re.compile(r"\x1b\[[\d;]*m")


class Terminal:
    """A shell that runs one command at a time, and what that command has printed so far."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment(
            {
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "TERM": "dumb",
                "NO_COLOR": "1",
                "COLUMNS": str(_COLUMNS),
                "PYTHONDONTWRITEBYTECODE": "1",
                **variables,
            }
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._output = ""
        self._seen = 0
        self._news = threading.Condition()
        self._command = ""

    def run(self, command: str) -> None:
        """Start a command; the one before it has to end first."""
        self.wait()
        if command.startswith("export "):
            self._environment |= dict(word.split("=", 1) for word in shlex.split(command)[1:])
            return
        self._command, self._output, self._seen = command, "", 0
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, _COLUMNS))
        self._process = subprocess.Popen(
            ["sh", "-c", f"exec {command}" if "|" not in command else command],
            cwd=self._folder,
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def expect(self, text: str) -> None:
        """Wait until the command has printed this, after what was expected before, and no more.

        A `…` stands for anything within a line, a line of its own for any number of lines.
        """
        pattern = re.compile(_pattern(text), re.DOTALL)
        deadline = time.monotonic() + _SECONDS
        with self._news:
            while not pattern.fullmatch(self._output, self._seen):
                if self._ended() or not self._news.wait(deadline - time.monotonic()):
                    break
        assert pattern.fullmatch(self._output, self._seen), (
            f"$ {self._command}\nexpected:\n{text}\nprinted:\n{self._output[self._seen :]}"
        )
        self._seen = len(self._output)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGINT)

    def wait(self) -> None:
        """Wait for the command's end; an exit code other than 0 needs an error in its output."""
        if self._process is None:
            return
        code = self._process.wait(_SECONDS)
        assert self._reader is not None
        self._reader.join()
        told = "Error" in self._output or "FAILED" in self._output
        assert code == 0 or told, f"$ {self._command}\nexit code {code}\n{self._output}"
        self._process = None

    def close(self) -> None:
        """End what still runs, after a failure."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._reader is not None:
            self._reader.join()

    def _ended(self) -> bool:
        return self._reader is None or not self._reader.is_alive()

    def _read(self, descriptor: int) -> None:
        data = b""
        with contextlib.suppress(OSError):  # the end of a terminal is an error on Linux
            while piece := os.read(descriptor, 65536):
                data += piece
                with self._news:
                    text = _STYLES.sub("", data.decode(errors="replace")).replace("\r\n", "\n")
                    self._output = "\n".join(line.rstrip() for line in text.split("\n"))
                    self._news.notify_all()
        os.close(descriptor)
        with self._news:
            self._news.notify_all()


class Terminals:
    """The terminals of one page, by the titles of its blocks."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._variables = variables
        self._by_title: dict[str, Terminal] = {}

    def play(self, block: Block) -> None:
        """Type the commands of a block, and compare what they print.

        A command in a block without title has ended when the block has; one in a titled block may
        go on, and a later block of that title takes up its output.
        """
        title = block.title or ""
        if title not in self._by_title:
            self._by_title[title] = Terminal(self._folder, self._variables)
        terminal = self._by_title[title]
        for step in re.split(r"^(?=\$ )", block.text, flags=re.MULTILINE):
            if step:
                _play_step(terminal, step)
        if not block.title:
            terminal.wait()

    def close(self) -> None:
        """Close all."""
        for terminal in self._by_title.values():
            terminal.close()


def _play_step(terminal: Terminal, step: str) -> None:
    expected = step
    if step.startswith("$ "):
        command, _, expected = step[2:].partition("\n")
        while command.endswith("\\"):
            more, _, expected = expected.partition("\n")
            command = command[:-1] + more.strip()
        terminal.run(command)
    before, interrupted, after = expected.partition("^C\n")
    if interrupted:
        terminal.expect(before)
        terminal.interrupt()
        terminal.wait()
        terminal.expect(after)
    else:
        if step.startswith("$ ") and not expected:
            terminal.wait()
        terminal.expect(expected)


def _pattern(text: str) -> str:
    lines = [
        r"(?:[^\n]*\n)*?" if line.strip() == "…" else re.escape(line).replace("…", r"[^\n]*") + "\n"
        for line in text.splitlines()
    ]
    return "".join(lines)
