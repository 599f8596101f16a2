"""Every knob of a worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Iterable
from dataclasses import InitVar, dataclass, field
from datetime import timedelta
from typing import Any, Literal, cast

from graphile_worker.cron import entries
from graphile_worker.cron.crontab import Crontab
from graphile_worker.cron.entries import AnyCron
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.source import DatabaseUrl
from graphile_worker.errors import ConfigurationError
from graphile_worker.history.options import HistoryConfig
from graphile_worker.hooks.handlers import USUAL_TIMEOUT
from graphile_worker.hooks.registry import HookRegistry, Plugin, check_plugin
from graphile_worker.jobs.spec import JobSpec
from graphile_worker.local_queue.options import LocalQueueConfig
from graphile_worker.recovery.options import WorkerRecoveryConfig
from graphile_worker.runtime.duration import Duration, duration
from graphile_worker.tasks.registry import TaskRegistry
from graphile_worker.worker.batch_delays import BatchDelays
from graphile_worker.worker.given import GIVEN, not_default, remembers_given
from graphile_worker.worker.listen_address import ListenAddress

_RESERVED_CONNECTIONS = 4
"""Claim, release, LISTEN and heartbeat each have a connection that no handler can take."""
LANES = 3
"""The connections of `claim_mode="transaction"`, besides those: one asks, the jobs of one run, and
one commits."""
DIRECT_POOL = 2
"""The most connections to `direct_database_url` besides LISTEN, heartbeat and watch: for plugins;
the first is opened to see that it can be reached."""

ShutdownTrigger = Awaitable[object] | asyncio.Event
"""What starts a shutdown: an event that is set, or an awaitable that ends."""


def cpus() -> int:
    """How many logical CPUs this machine has."""
    return os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class WorkerShutdownConfig:
    """How a worker stops.

    Raises:
        ConfigurationError: a duration that is none, or negative.
    """

    listen_os_shutdown_signals: bool = True
    """Whether SIGINT, SIGTERM and the end of the terminal start the shutdown while `run` is under
    way. Turn it off where the host program handles signals. Off the main thread it has no
    effect."""
    shutdown_signal: ShutdownTrigger | None = None
    """An event or awaitable of the host that starts the shutdown, besides the signals. A future or
    task is not cancelled with the worker, and may be handed to several; what it fails with, `run`
    raises in the end."""
    grace_period: Duration = timedelta(seconds=5)
    """How long running jobs have to end after the shutdown started, before they are interrupted."""
    interrupted_job_retry_delay: Duration = timedelta(seconds=30)
    """When an interrupted job may run again; its attempt is given back."""

    def __post_init__(self) -> None:
        for name in ("grace_period", "interrupted_job_retry_delay"):
            object.__setattr__(self, name, duration(name, getattr(self, name)))


@remembers_given
@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What a worker is made of, checked: the fields of `WorkerOptions`.

    Raises:
        ConfigurationError: an option that makes no sense, or one given in two places.
    """

    database_url: DatabaseUrl | None = None
    """Any URL libpq takes, or `embedded:` for a PostgreSQL that comes along. For passwords that
    change also a function, plain or async, that is asked for the URL before every connect; it may
    be called in any thread."""
    database: Any = None
    """Instead of a URL: an asyncpg pool, psycopg `AsyncConnectionPool` or SQLAlchemy `AsyncEngine`
    of the caller's, who also closes it. It needs room for at least 5 connections: the worker keeps
    four of them, see `max_pg_conn`, and borrows others."""
    direct_database_url: DatabaseUrl | None = None
    """Where LISTEN and the heartbeat connect, for set-ups whose `database_url` leads to a pooler in
    transaction mode. Default: `database_url`."""
    max_pg_conn: int = 20
    """The most connections opened from `database_url`, at least 5: four are reserved (claim,
    release, LISTEN, heartbeat; three more with `claim_mode="transaction"`), from one more on a
    fifth for sweeps and recurring jobs; the rest is the pool that handlers use. Ignored with
    `database`."""
    schema: str = "graphile_worker"
    """The schema with the worker's tables; created by `init()` where it is missing."""
    tasks: Iterable[object] = ()
    """The tasks this worker runs: `@task`, `@batch_task`, or classes with IDENTIFIER and `run`."""
    concurrency: int = field(default_factory=cpus)
    """How many jobs run at once. Default: the logical CPUs; I/O-bound jobs want more."""
    poll_interval: Duration = timedelta(seconds=1)
    """How long an idle worker waits before it looks without being notified. Retries and jobs with
    a `run_at` are found by this alone."""
    use_notification_delivery: bool = True
    """Whether new jobs are announced (LISTEN/NOTIFY). Off: polling only, one connection less."""
    use_local_time: bool = False
    """Whether this machine's clock decides what is due, instead of the database's."""
    prepared_statements: bool = True
    """Turn off behind a pooler in transaction mode that does not know them."""
    forbidden_flags: Iterable[str] = ()
    """Jobs with one of these flags are left for other workers."""
    crons: Iterable[AnyCron] = ()
    """Recurring jobs: `Cron`, `Crontab`, or crontab text. Each has its job of a minute once,
    however many workers have it."""
    extensions: Iterable[object] = ()
    """Objects for handlers (`ctx.get_ext(Type)`), at most one of each type."""
    plugins: Iterable[Plugin] = ()
    """Objects that register handlers of events; asked once, in order, after `hooks`."""
    hooks: HookRegistry | None = None
    """Handlers of events, as they are registered when `init()` makes the worker."""
    hook_timeout: Duration = USUAL_TIMEOUT
    """How long each handler of an event may take, more than 0. One that takes longer is cancelled
    and logged; if it is an interceptor's, its job fails."""
    listen: str | None = None
    """`HOST:PORT` for `/healthz`, `/readyz` and `/metrics` while `run` is under way."""
    listen_beyond_loopback: bool = False
    """Whether `listen` may name an address that other machines can reach."""
    local_queue: LocalQueueConfig | None = None
    """Jobs claimed ahead, which wait in the worker for a slot. Default: a job is claimed when a
    slot is free for it. `run_once` claims none ahead."""
    claim_mode: Literal["lock", "transaction"] = "lock"
    """How a claim is kept. `"lock"`: in the job's row. `"transaction"`: as a row lock of an open
    transaction, in which the jobs that ran well are deleted. For many tiny jobs that may run twice:
    it writes less than half. A worker that dies frees its jobs at once, and no attempt of theirs
    was counted. Jobs of named queues are left to other workers; no `ctx.transaction()`."""
    complete_job_batch_delay: Duration = timedelta(0)
    """How long a completion may wait for others, to be stored with them. Those that come in while
    others are being stored share a statement anyway; a delay makes fewer commits, and leaves more
    jobs to be run again after a crash. Jobs of named queues never wait, nor does `run_once`."""
    fail_job_batch_delay: Duration = timedelta(0)
    """The same for failures."""
    shutdown: WorkerShutdownConfig | None = None
    """How the worker stops; or the four options below, one by one."""
    listen_os_shutdown_signals: bool | None = None
    """See `WorkerShutdownConfig`."""
    shutdown_signal: ShutdownTrigger | None = None
    """See `WorkerShutdownConfig`."""
    shutdown_grace_period: Duration | None = None
    """See `WorkerShutdownConfig.grace_period`."""
    shutdown_interrupted_job_retry_delay: Duration | None = None
    """See `WorkerShutdownConfig.interrupted_job_retry_delay`."""
    recovery: WorkerRecoveryConfig | None = None
    """How dead workers are noticed; or the four options below, one by one."""
    heartbeat_interval: Duration | None = None
    """See `WorkerRecoveryConfig`."""
    sweep_interval: Duration | None = None
    """See `WorkerRecoveryConfig`."""
    sweep_threshold: Duration | None = None
    """See `WorkerRecoveryConfig`."""
    recovery_delay: Duration | None = None
    """See `WorkerRecoveryConfig`."""
    history: HistoryConfig | Literal[False] | None = None
    """What is recorded of jobs that are done. Default: what `history install` was told, where that
    was called for this schema, else nothing. A config installs it, or changes what is kept; False
    records nothing here."""
    thread_workers: int | None = None
    """How many plain functions run in threads at once. Default: `concurrency`."""
    process_workers: int | None = None
    """How many processes run `executor="process"` tasks. Default: the logical CPUs."""
    wait_for_database: Duration | None = None
    """How long `init()` waits for a database that does not answer yet, or that goes away while it
    starts. Default: not at all."""
    _given: InitVar[frozenset[str] | None] = None

    def __post_init__(self, _given: frozenset[str] | None) -> None:
        given = not_default(self, vars(self)) if _given is None else _given
        object.__setattr__(self, GIVEN, given)
        Schema(self.schema)
        self._freeze_collections()
        self._check_numbers()
        self._check_durations()
        self._check_local_queue()
        if self.claim_mode not in {"lock", "transaction"}:
            raise ConfigurationError(
                f"claim_mode must be 'lock' or 'transaction', got {self.claim_mode!r}"
            )
        if self.database is not None and self.database_url is not None:
            raise ConfigurationError("give either database_url or database, not both")
        self.shutdown_config()
        self.recovery_config()
        self.extensions_by_type()
        self.listen_address()

    @property
    def given(self) -> frozenset[str]:
        """The names of the options that were said; of others the command line may say more."""
        names: frozenset[str] = vars(self)[GIVEN]
        return names

    @property
    def reserves_for_services(self) -> bool:
        """Whether sweeps and recurring jobs have a connection that no handler can take."""
        return self.database is None and self.max_pg_conn > self.reserved_connections + 1

    @property
    def pool_size(self) -> int:
        """How many connections handlers share."""
        return self.max_pg_conn - self.reserved_connections - self.reserves_for_services

    def listen_address(self) -> ListenAddress | None:
        """Where probes and scrapes are answered."""
        if self.listen is None:
            return None
        return ListenAddress.parse(self.listen, beyond_loopback=self.listen_beyond_loopback)

    @property
    def most_connections(self) -> int | None:
        """How many a worker may open; None: they are those of the caller's pool.

        Without the watch of the queue, which one worker of all has, and without what plain
        functions in `ctx.transaction()` bring, which is opened when the first one asks.
        """
        if self.database is not None:
            return None
        direct = DIRECT_POOL if self.direct_database_url is not None else 0
        return self.max_pg_conn + direct - (not self.use_notification_delivery)

    @property
    def reserved_connections(self) -> int:
        """How many of `max_pg_conn` no handler can take."""
        return _RESERVED_CONNECTIONS + (LANES if self.claim_mode == "transaction" else 0)

    def registry(self) -> TaskRegistry:
        """The tasks by identifier."""
        if not self.tasks:
            raise ConfigurationError(
                "tasks is empty: a worker without tasks never runs a job; WorkerOptions(tasks=[…])"
            )
        return TaskRegistry(self.tasks)

    def shutdown_config(self) -> WorkerShutdownConfig:
        """How the worker stops, from `shutdown` or the single options."""
        single = {
            "listen_os_shutdown_signals": self.listen_os_shutdown_signals,
            "shutdown_signal": self.shutdown_signal,
            "grace_period": self.shutdown_grace_period,
            "interrupted_job_retry_delay": self.shutdown_interrupted_job_retry_delay,
        }
        given = _given_once("shutdown", self.shutdown, single)
        return self.shutdown or WorkerShutdownConfig(**given)

    def recovery_config(self) -> WorkerRecoveryConfig:
        """How dead workers are noticed, from `recovery` or the single options."""
        single = {
            "heartbeat_interval": self.heartbeat_interval,
            "sweep_interval": self.sweep_interval,
            "sweep_threshold": self.sweep_threshold,
            "recovery_delay": self.recovery_delay,
        }
        given = _given_once("recovery", self.recovery, single)
        return self.recovery or WorkerRecoveryConfig(**given)

    def batch_delays(self) -> BatchDelays:
        """How long outcomes may wait for others."""
        return BatchDelays(
            complete=seconds(self.complete_job_batch_delay), fail=seconds(self.fail_job_batch_delay)
        )

    def crontabs(self) -> list[Crontab]:
        """The entries of `crons`, those of the builder built."""
        return entries.built(entries.parsed(self.crons))

    def extensions_by_type(self) -> dict[type, object]:
        """The extensions as handlers ask for them."""
        found: dict[type, object] = {}
        for extension in self.extensions:
            if type(extension) in found:
                raise ConfigurationError(
                    f"two extensions are of the type {type(extension).__qualname__}; "
                    "handlers could not tell them apart"
                )
            found[type(extension)] = extension
        return found

    def _freeze_collections(self) -> None:
        JobSpec(flags=self.forbidden_flags)
        for name in ("tasks", "forbidden_flags", "extensions", "plugins"):
            object.__setattr__(self, name, _several(name, getattr(self, name)))
        for plugin in self.plugins:
            check_plugin(plugin)
        if self.hooks is not None and not isinstance(self.hooks, HookRegistry):
            raise ConfigurationError(f"hooks must be a HookRegistry, got {self.hooks!r}")
        history: object = self.history
        if not (history is None or history is False or isinstance(history, HistoryConfig)):
            raise ConfigurationError(f"history must be a HistoryConfig or False, got {history!r}")
        object.__setattr__(self, "crons", entries.parsed(self.crons))

    def _check_numbers(self) -> None:
        _at_least("concurrency", self.concurrency, 1)
        _at_least("max_pg_conn", self.max_pg_conn, self.reserved_connections + 1)
        for name in ("thread_workers", "process_workers"):
            if (value := getattr(self, name)) is not None:
                _at_least(name, value, 1)

    def _check_local_queue(self) -> None:
        queue: object = self.local_queue
        if isinstance(queue, LocalQueueConfig):
            queue.check_poll_interval(duration("poll_interval", self.poll_interval))
        elif queue is not None:
            raise ConfigurationError(f"local_queue must be a LocalQueueConfig, got {queue!r}")

    def _check_durations(self) -> None:
        set_field = object.__setattr__
        for name in ("poll_interval", "hook_timeout"):
            set_field(self, name, duration(name, getattr(self, name), positive=True))
        for name in (
            "complete_job_batch_delay",
            "fail_job_batch_delay",
            "shutdown_grace_period",
            "shutdown_interrupted_job_retry_delay",
            "wait_for_database",
            "heartbeat_interval",
            "sweep_interval",
            "sweep_threshold",
            "recovery_delay",
        ):
            if (value := getattr(self, name)) is not None:
                set_field(self, name, duration(name, value))


def seconds(value: Duration) -> float:
    """A duration option, already checked, in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def _given_once(name: str, whole: object, single: dict[str, Any]) -> dict[str, Any]:
    """The single options that are given; none of them may be where the whole is given too."""
    given = {option: value for option, value in single.items() if value is not None}
    if whole is not None and given:
        raise ConfigurationError(
            f"{name}= and {', '.join(sorted(given))} say the same thing twice; give one of them"
        )
    return given


def _several(name: str, values: object) -> tuple[object, ...]:
    if not isinstance(values, Iterable):
        raise ConfigurationError(f"{name} must be a list, even of one, got {values!r}")
    return tuple(cast("Iterable[object]", values))


def _at_least(name: str, value: object, smallest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{name} must be a whole number, got {value!r}")
    if value < smallest:
        raise ConfigurationError(f"{name} must be at least {smallest}, got {value}")
