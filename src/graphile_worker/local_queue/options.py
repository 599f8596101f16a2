"""The knobs of the local queue."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from graphile_worker.errors import ConfigurationError
from graphile_worker.runtime.duration import Duration, duration

_LARGEST: Final = 2**31 - 1
"""What the workers in other languages can count to."""
_ABORTS_PER_SIZE: Final = 5


@dataclass(frozen=True, kw_only=True)
class RefetchDelayConfig:
    """A pause before looking again, after a look that brought next to nothing.

    Many idle workers that are all woken by each new job ask the database more than they run. The
    pause makes one look of many.

    Raises:
        ConfigurationError: an option that makes no sense.
    """

    duration: Duration = timedelta(milliseconds=100)
    """How long, on average: each pause is drawn between half and one and a half of it, so that
    workers do not look in step. Not longer than `poll_interval`."""
    threshold: int = 0
    """A claim that brings so many jobs, or fewer, and fewer than it asked for, starts the pause."""
    max_abort_threshold: int | None = None
    """So many new jobs announced meanwhile end the pause, at the latest: each pause draws its own
    number, from 1 to this. Default: five times `size`."""

    def __post_init__(self) -> None:
        value = duration("local_queue.refetch_delay.duration", self.duration, positive=True)
        object.__setattr__(self, "duration", value)
        _whole("local_queue.refetch_delay.threshold", self.threshold, 0)
        if self.max_abort_threshold is not None:
            _whole("local_queue.refetch_delay.max_abort_threshold", self.max_abort_threshold, 1)

    def with_duration(self, duration: Duration) -> RefetchDelayConfig:
        """The same with another duration."""
        return dataclasses.replace(self, duration=duration)

    def with_threshold(self, threshold: int) -> RefetchDelayConfig:
        """The same with another threshold."""
        return dataclasses.replace(self, threshold=threshold)

    def with_max_abort_threshold(self, max_abort_threshold: int | None) -> RefetchDelayConfig:
        """The same with another upper bound of what ends the pause."""
        return dataclasses.replace(self, max_abort_threshold=max_abort_threshold)


@dataclass(frozen=True, kw_only=True)
class LocalQueueConfig:
    """How many jobs a worker claims ahead, and for how long it keeps them waiting.

    Raises:
        ConfigurationError: an option that makes no sense.
    """

    size: int = 100
    """How many claimed jobs may wait for a slot. More is quicker for tiny jobs; all of them are
    locked for this worker meanwhile. Less than `concurrency` is of little use. The claim counts on
    the jobs that start while it is under way: where they are suddenly slow, up to twice as many
    wait."""
    ttl: Duration = timedelta(minutes=5)
    """How long a claimed job may wait. Then all that wait go back to the table, as if they had
    never been claimed, and nothing is claimed before a slot is free."""
    queue_count: int = 1
    """How many such queues there are, at most one for each slot. They share one claim loop and one
    order, so this only multiplies `size`; it is here for configurations of the Rust worker."""
    refetch_delay: RefetchDelayConfig | None = None
    """A pause after claims that brought next to nothing. Default: none."""

    def __post_init__(self) -> None:
        _whole("local_queue.size", self.size, 1, _LARGEST)
        ttl = duration("local_queue.ttl", self.ttl, positive=True)
        object.__setattr__(self, "ttl", ttl)
        _whole("local_queue.queue_count", self.queue_count, 1)
        delay: object = self.refetch_delay
        if delay is not None and not isinstance(delay, RefetchDelayConfig):
            raise ConfigurationError(
                f"local_queue.refetch_delay must be a RefetchDelayConfig, got {delay!r}"
            )

    @property
    def most_announced(self) -> int:
        """How many announced jobs end a refetch delay at the latest."""
        given = None if self.refetch_delay is None else self.refetch_delay.max_abort_threshold
        return _ABORTS_PER_SIZE * self.size if given is None else given

    def check_poll_interval(self, poll_interval: timedelta) -> None:
        """Refuse a pause that would outlast the poll.

        Raises:
            ConfigurationError: it would.
        """
        if self.refetch_delay is None:
            return
        pause = duration("local_queue.refetch_delay.duration", self.refetch_delay.duration)
        if pause > poll_interval:
            raise ConfigurationError(
                f"local_queue.refetch_delay.duration ({pause.total_seconds():g} s) must not be "
                f"longer than poll_interval ({poll_interval.total_seconds():g} s)"
            )

    def with_size(self, size: int) -> LocalQueueConfig:
        """The same with another size."""
        return dataclasses.replace(self, size=size)

    def with_ttl(self, ttl: Duration) -> LocalQueueConfig:
        """The same with another time to wait."""
        return dataclasses.replace(self, ttl=ttl)

    def with_queue_count(self, queue_count: int) -> LocalQueueConfig:
        """The same with another number of queues."""
        return dataclasses.replace(self, queue_count=queue_count)

    def with_refetch_delay(self, refetch_delay: RefetchDelayConfig | None) -> LocalQueueConfig:
        """The same with another pause, or none."""
        return dataclasses.replace(self, refetch_delay=refetch_delay)


def _whole(name: str, value: object, smallest: int, largest: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{name} must be a whole number, got {value!r}")
    if value < smallest:
        raise ConfigurationError(f"{name} must be at least {smallest}, got {value}")
    if largest is not None and value > largest:
        raise ConfigurationError(f"{name} must be at most {largest}, got {value}")
