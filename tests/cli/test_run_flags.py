"""defaults < file < environment < code < flags."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from datetime import timedelta

import click
import pytest

from graphile_worker import (
    ConfigurationError,
    HistoryConfig,
    LocalQueueConfig,
    RefetchDelayConfig,
    WorkerOptions,
    WorkerRecoveryConfig,
    WorkerShutdownConfig,
    task,
)
from graphile_worker.cli.application import Target
from graphile_worker.cli.run import command
from graphile_worker.cli.run_flags import merge
from graphile_worker.cli.run_options import run_options
from graphile_worker.cli.run_worker import worker_options
from graphile_worker.cli.settings import Layer, Settings
from graphile_worker.worker.settings import cpus

NOT_FLAGS = {
    "database": "an object",
    "extensions": "objects",
    "hooks": "an object",
    "plugins": "objects",
    "tasks": "the argument",
    "shutdown": "its fields are flags",
    "recovery": "its fields are flags too",
    "local_queue": "its fields are flags too",
    "shutdown_signal": "an object",
    "listen_os_shutdown_signals": "the command always does",
    "database_url": "a global option",
    "schema": "a global option",
}


@task(payload=None)
async def task_of_nothing() -> None:
    pass


def said(*arguments: str) -> Settings:
    """What a command line says, with the environment as it is."""
    seen = []

    @click.command("probe", params=run_options())
    @click.pass_context
    def probe(context: click.Context):
        seen.append(Settings.of(context))

    probe.main(list(arguments), standalone_mode=False)
    return seen[0]


def merged(options: WorkerOptions, *arguments: str, **layers: Layer) -> WorkerOptions:
    settings = said(*arguments)
    if "flags" in layers:
        layers["flags"] = replace(layers["flags"], options=settings.flags.options)
    return merge(options, replace(settings, **layers))


NO_OPTIONS_OF_A_WORKER = {
    *("tasks_dir", "processes", "max_jobs_per_process", "max_memory_per_process"),
    *("loop", "log_level", "log_format", "log_events"),
}


def test_every_option_of_a_worker_is_one_of_the_command():
    fields = {field.name for field in dataclasses.fields(WorkerOptions)} - set(NOT_FLAGS)
    parts = {"recover_orphans", "recovery", "local_queue", "refetch_delay"}
    parts |= {"local_queue_size", "local_queue_ttl", "local_queue_count"}
    parts |= {"refetch_delay_threshold", "refetch_delay_max_abort_threshold"}
    wanted = fields - {"crons"} | {"crontab"} | parts
    names = {option.name for option in run_options()}
    assert wanted == names - NO_OPTIONS_OF_A_WORKER
    assert names <= {parameter.name for parameter in command.params}


def test_every_option_has_a_variable_by_its_name():
    for option in run_options():
        assert option.envvar == f"GRAPHILE_WORKER_{option.name.upper()}"


def test_flags_win_over_code():
    options = merged(
        WorkerOptions(concurrency=3, poll_interval=9, forbidden_flags=["x"], database_url="code"),
        *("--concurrency", "5", "--poll-interval", "500ms", "--max-pg-conn", "9"),
        *("--forbidden-flag", "a", "--forbidden-flag", "b", "--thread-workers", "2"),
        *("--process-workers", "1", "--no-notification-delivery", "--use-local-time"),
        *("--no-prepared-statements", "--direct-database-url", "direct"),
        *("--hook-timeout", "3s", "--listen", ":8464", "--listen-beyond-loopback"),
        *("--wait-for-database", "1m", "--shutdown-grace-period", "2s"),
        *("--interrupted-job-retry-delay", "0", "--heartbeat-interval", "1s"),
        *("--sweep-interval", "2s", "--sweep-threshold", "9s", "--recovery-delay", "0"),
        *("--recover-orphans", "--no-recovery", "--claim-mode", "transaction"),
        flags=Layer(database_url="flag", schema="s"),
        environment=Layer(database_url="environment", schema="e"),
    )
    assert (options.database_url, options.schema) == ("flag", "s")
    assert (options.concurrency, options.max_pg_conn) == (5, 9)
    assert options.poll_interval == timedelta(milliseconds=500)
    assert options.forbidden_flags == ("a", "b")
    assert (options.thread_workers, options.process_workers) == (2, 1)
    assert not options.use_notification_delivery
    assert options.use_local_time
    assert not options.prepared_statements
    assert options.direct_database_url == "direct"
    assert options.wait_for_database == timedelta(minutes=1)
    assert options.hook_timeout == timedelta(seconds=3)
    assert (options.listen, options.listen_beyond_loopback) == (":8464", True)
    assert options.claim_mode == "transaction"
    assert options.shutdown_config().grace_period == timedelta(seconds=2)
    assert options.shutdown_config().interrupted_job_retry_delay == timedelta(0)
    assert options.recovery_config() == WorkerRecoveryConfig(
        enabled=False,
        recover_orphans=True,
        heartbeat_interval=1,
        sweep_interval=2,
        sweep_threshold=9,
        recovery_delay=0,
    )


def test_what_the_code_says_of_recovery_is_kept():
    code = WorkerRecoveryConfig(enabled=False, sweep_threshold=9)
    config = merged(WorkerOptions(recovery=code), "--recovery-delay", "1s").recovery_config()
    assert config == WorkerRecoveryConfig(enabled=False, sweep_threshold=9, recovery_delay=1)
    assert merged(WorkerOptions(sweep_threshold=9)).recovery_config().sweep_threshold == timedelta(
        seconds=9
    )


def test_a_flag_of_the_local_queue_asks_for_one():
    assert merged(WorkerOptions()).local_queue is None
    assert merged(WorkerOptions(), "--local-queue-size", "500").local_queue == LocalQueueConfig(
        size=500
    )
    code = LocalQueueConfig(size=7, refetch_delay=RefetchDelayConfig(threshold=2))
    options = merged(
        WorkerOptions(local_queue=code),
        *("--local-queue-ttl", "1m", "--local-queue-count", "2", "--refetch-delay", "50ms"),
        *("--refetch-delay-max-abort-threshold", "9"),
    )
    assert options.local_queue == LocalQueueConfig(
        size=7,
        ttl=60,
        queue_count=2,
        refetch_delay=RefetchDelayConfig(duration=0.05, threshold=2, max_abort_threshold=9),
    )
    assert merged(WorkerOptions(local_queue=code)).local_queue == code
    only_delay = merged(WorkerOptions(), "--refetch-delay-threshold", "0").local_queue
    assert only_delay == LocalQueueConfig(refetch_delay=RefetchDelayConfig())


def test_a_local_queue_can_be_turned_off():
    code = WorkerOptions(local_queue=LocalQueueConfig())
    assert merged(code, "--no-local-queue").local_queue is None
    with pytest.raises(ConfigurationError, match="--no-local-queue"):
        merged(code, "--no-local-queue", "--local-queue-size", "5")


def test_batch_delays_are_flags():
    options = merged(
        WorkerOptions(),
        *("--complete-job-batch-delay", "20ms", "--fail-job-batch-delay", "1s"),
    )
    assert options.complete_job_batch_delay == timedelta(milliseconds=20)
    assert options.fail_job_batch_delay == timedelta(seconds=1)


def test_code_wins_over_the_environment():
    environment = Layer(database_url="environment", schema="e")
    options = merged(WorkerOptions(database_url="code", schema="c"), environment=environment)
    assert (options.database_url, options.schema) == ("code", "c")
    pool = object()
    options = merged(WorkerOptions(database=pool), environment=environment)
    assert (options.database, options.database_url) == (pool, None)


def test_the_environment_fills_what_code_leaves_open():
    environment = Layer(database_url="environment", schema="e")
    options = merged(WorkerOptions(), environment=environment)
    assert (options.database_url, options.schema) == ("environment", "e")


def test_a_database_url_on_the_command_line_replaces_a_pool():
    options = merged(WorkerOptions(database=object()), flags=Layer(database_url="flag"))
    assert (options.database, options.database_url) == (None, "flag")


def test_max_connections_is_what_the_worker_may_open():
    assert merged(WorkerOptions(), flags=Layer(max_connections=9)).max_pg_conn == 9
    options = merged(WorkerOptions(), "--max-pg-conn", "8", flags=Layer(max_connections=9))
    assert options.max_pg_conn == 8


@pytest.mark.parametrize(
    "options",
    [
        WorkerOptions(shutdown=WorkerShutdownConfig(grace_period=3)),
        WorkerOptions(shutdown_grace_period=3),
    ],
)
def test_how_the_code_says_to_stop_is_kept_but_the_command_has_the_signals(options):
    config = merged(options, "--interrupted-job-retry-delay", "4s").shutdown_config()
    assert config.grace_period == timedelta(seconds=3)
    assert config.interrupted_job_retry_delay == timedelta(seconds=4)
    assert not config.listen_os_shutdown_signals


def test_what_makes_no_sense_together_is_refused():
    with pytest.raises(ConfigurationError, match="max_pg_conn must be at least 5, got 2"):
        merged(WorkerOptions(), "--max-pg-conn", "2")


def test_the_environment_wins_over_the_file():
    options = merged(
        WorkerOptions(),
        file=Layer(schema="f", options={"concurrency": 7, "poll_interval": timedelta(seconds=7)}),
        environment=Layer(schema="e", options={"concurrency": 8}),
    )
    assert options.schema == "e"
    assert (options.concurrency, options.poll_interval) == (8, timedelta(seconds=7))


@pytest.mark.parametrize("how", ["made", "varied"])
def test_what_the_code_says_holds_also_where_it_is_the_default(how):
    code = WorkerOptions(schema="graphile_worker", concurrency=cpus(), use_local_time=False)
    if how == "varied":
        code = replace(code.add_forbidden_flag("x"), poll_interval=9)
    below = Layer(
        schema="e", options={"concurrency": 99, "use_local_time": True, "max_pg_conn": 30}
    )
    options = merged(code, environment=below)
    assert (options.schema, options.concurrency, options.use_local_time) == (
        "graphile_worker",
        cpus(),
        False,
    )
    assert options.max_pg_conn == 30


def test_a_part_that_the_code_says_as_a_whole_is_said():
    below = Layer(
        options={
            "shutdown_grace_period": timedelta(9),
            "sweep_threshold": timedelta(9),
            "local_queue_size": 9,
            "recovery_delay": timedelta(9),
        }
    )
    code = WorkerOptions(
        shutdown=WorkerShutdownConfig(), local_queue=LocalQueueConfig(), sweep_threshold=3
    )
    options = merged(code, file=below)
    assert options.shutdown_config().grace_period == timedelta(seconds=5)
    assert options.local_queue == LocalQueueConfig()
    assert options.recovery_config().sweep_threshold == timedelta(seconds=3)
    assert options.recovery_config().recovery_delay == timedelta(9)


def test_flags_turn_on_again_what_others_turned_off():
    below = Layer(options={"recovery": False, "local_queue": False, "prepared_statements": False})
    options = merged(
        WorkerOptions(use_notification_delivery=False),
        *("--recovery", "--local-queue-size", "5", "--prepared-statements"),
        "--use-notification-delivery",
        environment=below,
    )
    assert options.recovery_config().enabled
    assert options.local_queue == LocalQueueConfig(size=5)
    assert (options.prepared_statements, options.use_notification_delivery) == (True, True)


def test_history_is_turned_on_again():
    installed = HistoryConfig(run_log="all")
    assert merged(WorkerOptions(history=False)).history is False
    assert merged(WorkerOptions(history=False), "--history").history is None
    assert merged(WorkerOptions(history=installed), "--history").history == installed
    assert merged(WorkerOptions(history=installed), "--no-history").history is False
    below = Layer(options={"history": True})
    assert merged(WorkerOptions(history=False), environment=below).history is False


@pytest.mark.parametrize(
    ("code", "arguments", "environment", "seconds"),
    [
        ({}, [], {}, 0),
        ({"shutdown_grace_period": 3}, [], {}, 0),
        ({"shutdown_interrupted_job_retry_delay": 600}, [], {}, 600),
        ({"shutdown": WorkerShutdownConfig(interrupted_job_retry_delay=600)}, [], {}, 600),
        ({}, ["--interrupted-job-retry-delay", "4s"], {}, 4),
        ({}, [], {"shutdown_interrupted_job_retry_delay": timedelta(seconds=5)}, 5),
    ],
)
async def test_what_a_reload_interrupts_runs_again_at_once_unless_it_is_said_when(
    code, arguments, environment, seconds
):
    target = Target("app:options", WorkerOptions(tasks=[task_of_nothing], **code))
    settings = replace(said(*arguments), environment=Layer(options=environment))
    options = await worker_options(target, settings, reloads=True)
    delay = options.shutdown_config().interrupted_job_retry_delay
    assert delay == timedelta(seconds=seconds)


async def test_what_a_reload_leaves_open_is_what_others_say():
    environment = Layer(options={"shutdown_grace_period": timedelta(seconds=7)})
    target = Target("app:options", WorkerOptions(tasks=[task_of_nothing]))
    settings = replace(said(), environment=environment)
    options = await worker_options(target, settings, reloads=True)
    assert options.shutdown_config().grace_period == timedelta(seconds=7)


def test_no_local_queue_holds_against_sizes_below_it():
    below = Layer(options={"local_queue_size": 5})
    assert merged(WorkerOptions(), "--no-local-queue", file=below).local_queue is None


def test_variables_are_read_like_flags(monkeypatch):
    for name, value in {
        "CONCURRENCY": "3",
        "FORBIDDEN_FLAGS": "gpu, big",
        "SWEEP_THRESHOLD": "2m",
        "RECOVERY": "false",
        "USE_LOCAL_TIME": "yes",
        "LISTEN": "",
    }.items():
        monkeypatch.setenv(f"GRAPHILE_WORKER_{name}", value)
    options = merged(WorkerOptions())
    assert (options.concurrency, options.forbidden_flags) == (3, ("gpu", "big"))
    assert options.recovery_config() == WorkerRecoveryConfig(enabled=False, sweep_threshold=120)
    assert (options.use_local_time, options.listen) == (True, None)


def test_a_wrong_variable_is_named(monkeypatch):
    monkeypatch.setenv("GRAPHILE_WORKER_CONCURRENCY", "many")
    with pytest.raises(click.BadParameter) as caught:
        said()
    assert "GRAPHILE_WORKER_CONCURRENCY" in caught.value.format_message()
