"""Options of recovery that make no sense are refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from graphile_worker import (
    ConfigurationError,
    JobRecoveryResult,
    WorkerOptions,
    WorkerRecoveryConfig,
)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("heartbeat_interval", 0, "heartbeat_interval must be more than 0 seconds"),
        ("sweep_interval", -1, "sweep_interval must be more than 0 seconds"),
        ("sweep_threshold", "5m", "sweep_threshold must be a timedelta or a number of seconds"),
        ("recovery_delay", -1, "recovery_delay must be at least 0 seconds"),
        ("resilient_sweep_threshold_multiplier", 0.5, "must be at least 1, got 0.5"),
        ("resilient_sweep_threshold_multiplier", float("nan"), "must be at least 1, got nan"),
        ("resilient_job_flags", "flag", "must be a collection of strings, got 'flag'"),
        ("max_refunds", -1, "max_refunds must be at least 0, got -1"),
        ("max_refunds", 1.5, "max_refunds must be a whole number, got 1.5"),
    ],
)
def test_a_senseless_option_is_named(option: str, value: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        WorkerRecoveryConfig(**{option: value})  # type: ignore[arg-type]


def test_the_convenience_keywords_make_the_same_config() -> None:
    options = WorkerOptions(
        heartbeat_interval=1,
        sweep_interval=2,
        sweep_threshold=timedelta(seconds=3),
        recovery_delay=0,
    )
    assert options.recovery_config() == WorkerRecoveryConfig(
        heartbeat_interval=1, sweep_interval=2, sweep_threshold=3, recovery_delay=0
    )
    assert WorkerOptions().recovery_config() == WorkerRecoveryConfig()


def test_giving_a_thing_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="sweep_threshold say the same thing twice"):
        WorkerOptions(recovery=WorkerRecoveryConfig(), sweep_threshold=3)


@pytest.mark.parametrize(
    ("interval", "threshold", "kept"), [(30, 300, 30), (30, 6, 2), (0.1, 600, 0.1)]
)
def test_a_worker_beats_often_enough_for_its_own_threshold(
    interval: float, threshold: float, kept: float
) -> None:
    config = WorkerRecoveryConfig(heartbeat_interval=interval, sweep_threshold=threshold)
    assert config.seconds_between_heartbeats == kept


def test_answers_of_a_hook_are_checked() -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    assert JobRecoveryResult.reschedule(now, 2) == JobRecoveryResult.reschedule(now, 2)
    with pytest.raises(ConfigurationError, match="run_at must have a time zone"):
        JobRecoveryResult.reschedule(datetime.now())  # noqa: DTZ005 (that is the point)
    with pytest.raises(ConfigurationError, match="attempts must be between 0 and 32767, got -1"):
        JobRecoveryResult.reschedule(now, -1)
