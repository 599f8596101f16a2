"""What the handlers of the demo saw, to be compared with what was added."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager


class Ledger:
    """Written by handlers, on the loop and in threads; an extension of the demo's worker.

    Jobs of other runs of the demo, or added by hand, are told to `on_stranger` and not counted.

    Attributes:
        run: the name of this run, in the payload of each of its jobs.
        finished: task → number of the job → how often a run of it ended well.
        failed: the same for runs that failed.
        order: the jobs of the serial queue, as they began.
        at_once: how many jobs of the serial queue ran at once, at most.
    """

    def __init__(self, run: str, on_stranger: Callable[[str, str], None]) -> None:
        self.run = run
        self.finished: dict[str, Counter[int]] = defaultdict(Counter)
        self.failed: dict[str, Counter[int]] = defaultdict(Counter)
        self.order: list[int] = []
        self.at_once = 0
        self._inside = 0
        self._lock = threading.Lock()
        self._on_stranger = on_stranger

    def count_finished(self, task: str, run: str, number: int, text: str) -> None:
        """A handler did its work; `text` says what it was."""
        if run != self.run:
            self._on_stranger(task, text)
            return
        with self._lock:
            self.finished[task][number] += 1

    def count_failed(self, task: str, run: str, number: int) -> None:
        """A handler is about to fail."""
        if run == self.run:
            with self._lock:
                self.failed[task][number] += 1

    @contextmanager
    def one_at_a_time(self, run: str, number: int) -> Generator[None]:
        """Around the work of a job in the serial queue."""
        if run == self.run:
            self.order.append(number)
        self._inside += 1
        self.at_once = max(self.at_once, self._inside)
        try:
            yield
        finally:
            self._inside -= 1
