"""Which options were said."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import dataclass, replace

from graphile_worker import WorkerOptions
from graphile_worker.worker.settings import cpus


def test_what_is_said_is_known_also_where_it_is_the_default():
    options = WorkerOptions(concurrency=cpus(), schema="graphile_worker")
    assert options.given == {"concurrency", "schema"}
    assert WorkerOptions().given == frozenset()
    assert options == WorkerOptions(), "it makes no difference otherwise"


def test_variants_know_what_was_said_before():
    options = WorkerOptions(concurrency=cpus())
    assert replace(options, poll_interval=9).given == {"concurrency", "poll_interval"}
    assert options.add_forbidden_flag("x").given == {"concurrency", "forbidden_flags"}
    for same in (copy.copy(options), copy.deepcopy(options), pickle.loads(pickle.dumps(options))):
        assert (same, same.given) == (options, {"concurrency"})


def test_a_subclass_of_the_users_knows_it_too():
    @dataclass(frozen=True, kw_only=True)
    class OurOptions(WorkerOptions):
        team: str = "us"

    assert OurOptions(team="x", concurrency=999).given == {"concurrency", "team"}


def test_the_signature_is_that_of_the_fields():
    assert "wait_for_database" in inspect.signature(WorkerOptions).parameters
