"""deploy/: what can be checked of it without a container runtime, a booted systemd or a cluster."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.command_line import PROGRAM, environment
from support.deploy_kit import (
    DEPLOY,
    child_in_comment,
    container,
    manifests,
    stages,
    steps_of,
    unit,
    unit_arguments,
)
from support.doc_blocks import ROOT, blocks_of
from support.eventually import eventually
from support.http import ask
from support.pgbouncer import free_port
from support.running import sql

from graphile_worker.cli.durations import parse_duration

APP = """
from graphile_worker import WorkerOptions, task

@task
async def send(payload: str) -> None: ...

options = WorkerOptions(tasks=[send])
"""

PAGE = ROOT / "docs" / "operations" / "deployment.md"
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent))
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")


def grace_of(arguments: list[str]) -> float:
    text = " ".join(arguments).replace("=", " ")
    return parse_duration(text.split("--shutdown-grace-period ")[1].split()[0]).total_seconds()


def port_of(arguments: list[str]) -> int:
    text = " ".join(arguments).replace("=", " ")
    return int(text.split("--listen ")[1].split()[0].rpartition(":")[2])


# -- Dockerfile ----------------------------------------------------------------------------------


@pytest.mark.skipif(HADOLINT is None, reason="there is no hadolint for this machine")
def test_hadolint_has_nothing_to_say():
    checked = subprocess.run(
        [str(HADOLINT), "Dockerfile"], cwd=DEPLOY, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_image_runs_as_somebody_and_gets_its_signals():
    build, final = stages()
    by_name = {step.name: step.text for step in final}
    assert by_name["USER"].isdigit()
    assert int(by_name["USER"]) > 0
    for name in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(by_name[name]), list), "exec form: no shell keeps SIGTERM"
    assert json.loads(by_name["ENTRYPOINT"]) == ["graphile-worker"]
    assert build[0].text.split()[0] == final[0].text.split()[0], "a venv belongs to one Python"


def test_an_application_installs_as_root_what_it_needs_and_does_not_run_as_root():
    [page] = [one.text for one in blocks_of(PAGE) if one.language == "dockerfile"]
    assert page == child_in_comment()
    names = [step.name for step in steps_of(page)]
    users = [step.text for step in steps_of(page) if step.name == "USER"]
    [ours] = [step.text for step in stages()[1] if step.name == "USER"]
    assert users == ["root", ours]
    assert names.index("USER") < names.index("RUN") < len(names) - 1 - names[::-1].index("USER")


def test_what_the_image_copies_is_there_and_not_ignored():
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    build, _ = stages()
    for step in build:
        if step.name == "COPY":
            for source in step.text.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source.removeprefix('./')}" in ignored


@pytest.mark.full
@pytest.mark.timeout(300)
def test_the_steps_of_the_image_make_a_program(tmp_path: Path, gw_database: str):
    """Each step as a container engine does it, below a folder instead of the root."""
    folders = {name: f"{tmp_path}{name}" for name in ("/opt/graphile-worker", "/src", "/app")}
    for folder in folders.values():
        Path(folder).parent.mkdir(parents=True, exist_ok=True)

    def below(text: str) -> str:
        for name, folder in folders.items():
            text = text.replace(name, folder)
        return text.replace("python -m venv", f"{sys.executable} -m venv")

    build, final = stages()
    where = ROOT
    for step in build[1:]:
        if step.name == "WORKDIR":
            where = Path(below(step.text))
            where.mkdir(parents=True)
        elif step.name == "COPY":
            *sources, target = step.text.split()
            for source in sources:
                copied = where / (target if len(sources) == 1 else source)
                copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
                copy(ROOT / source, copied)
        elif step.name == "RUN":
            subprocess.run(["sh", "-c", below(step.text)], cwd=where, check=True)
    [entry] = [json.loads(step.text) for step in final if step.name == "ENTRYPOINT"]
    program = Path(folders["/opt/graphile-worker"], "bin", *entry)
    shown = subprocess.run(
        [program, "doctor", "--json", "--database-url", gw_database],
        capture_output=True,
        text=True,
        check=False,
        env=environment({}),
    )
    assert json.loads(shown.stdout)["checks"][0]["level"] == "ok", shown.stderr


# -- systemd -------------------------------------------------------------------------------------


@pytest.fixture
def unit_here(tmp_path: Path) -> Path:
    """The unit as it would be where graphile-worker is installed in this place."""
    program = Path(sys.executable).with_name("graphile-worker")
    text = (DEPLOY / "graphile-worker.service").read_text()
    path = tmp_path / "graphile-worker.service"
    path.write_text(text.replace("/opt/graphile-worker/bin/graphile-worker", str(program)))
    return path


@pytest.mark.skipif(SYSTEMD_ANALYZE is None, reason="there is no systemd-analyze on this machine")
def test_systemd_takes_the_unit(unit_here: Path):
    verified = subprocess.run(
        [str(SYSTEMD_ANALYZE), "verify", unit_here], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_systemd_kills_after_the_grace_period():
    service = unit()["Service"]
    assert float(service["TimeoutStopSec"]) >= grace_of(unit_arguments()) + 10
    assert (service["KillMode"], service["KillSignal"]) == ("mixed", "SIGTERM")


# -- Kubernetes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["worker.yaml", "migrate.yaml"])
def test_manifests_follow_the_schemas_of_kubernetes(name: str):
    import kubernetes_validate

    for one in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()):
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_a_pod_is_killed_after_the_grace_period_and_knows_both():
    worker = container("Deployment")
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    told = {one["name"]: one.get("value") for one in worker["env"]}
    grace = grace_of(worker["args"])
    assert pod["terminationGracePeriodSeconds"] >= grace + 10
    assert (
        parse_duration(told["GRAPHILE_WORKER_STOP_TIMEOUT"]).total_seconds()
        == (pod["terminationGracePeriodSeconds"])
    )
    shown = told["GRAPHILE_WORKER_SHUTDOWN_GRACE_PERIOD"]
    assert parse_duration(shown).total_seconds() == grace


def test_a_pod_that_cannot_write_has_a_tmp():
    """Without one `run --processes` does not start, nor does a handler that uses `tempfile`."""
    worker = container("Deployment")
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    assert worker["securityContext"]["readOnlyRootFilesystem"]
    [mount] = [one for one in worker["volumeMounts"] if one["mountPath"] == "/tmp"]
    assert not mount.get("readOnly")
    assert {"name": mount["name"], "emptyDir": {}} in pod["volumes"]


def test_a_release_has_one_image():
    assert container("Job")["image"] == container("Deployment")["image"]
    assert f"`{container('Job')['image']}`" in PAGE.read_text(), "who follows it replaces it"


def test_the_page_migrates_before_it_replaces_workers_and_asks_for_keda_last():
    commands = "".join(one.text for one in blocks_of(PAGE) if one.language == "sh")
    job = manifests()["Job"]["metadata"]["name"]
    places = [
        commands.index(f"kubectl delete job {job} --ignore-not-found"),
        commands.index("apply -f deploy/kubernetes/migrate.yaml"),
        commands.index(f"kubectl wait --for=condition=complete --timeout=10m job/{job}"),
        commands.index("apply -f deploy/kubernetes/worker.yaml"),
        commands.index("apply -f deploy/kubernetes/scaler.yaml"),
    ]
    assert places == sorted(places)
    assert "apply -f deploy/kubernetes/\n" not in commands
    assert manifests()["Job"]["spec"]["activeDeadlineSeconds"] == 600, "as long as it is waited for"


def test_probes_ask_the_pages_that_a_worker_serves():
    worker = container("Deployment")
    probes = {name: worker[name]["httpGet"] for name in worker if name.endswith("Probe")}
    assert probes == {
        "startupProbe": {"path": "/healthz", "port": "health"},
        "livenessProbe": {"path": "/healthz", "port": "health"},
        "readinessProbe": {"path": "/readyz", "port": "health"},
    }
    [port] = [one["containerPort"] for one in worker["ports"] if one["name"] == "health"]
    assert f"--listen=0.0.0.0:{port}" in worker["args"]


def test_every_selector_finds_the_workers():
    objects = manifests()
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert objects[kind]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    job = objects["Job"]["spec"]["template"]["metadata"]["labels"]
    assert not labels.items() <= job.items(), "a migration is no worker"


async def test_the_scaler_counts_ready_jobs(gw_database: str):
    scaler, worker = manifests()["ScaledObject"]["spec"], container("Deployment")
    assert scaler["scaleTargetRef"]["name"] == manifests()["Deployment"]["metadata"]["name"]
    assert scaler["scaleTargetRef"]["envSourceContainerName"] == worker["name"]
    [trigger] = scaler["triggers"]
    assert trigger["metadata"]["connectionFromEnv"] in {one["name"] for one in worker["env"]}
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('t') from generate_series(1, 5);"
            "select graphile_worker.add_job('t', run_at := now() + interval '1 hour');"
            "update graphile_worker._private_jobs set locked_at = now() where id = 1;"
            "update graphile_worker._private_jobs set attempts = 25 where id = 2"
        )
        assert await connection.fetchval(trigger["metadata"]["query"]) == 3


def test_the_pools_of_all_replicas_fit_into_an_ordinary_server():
    """That is max_connections=100, of which 3 are for superusers; a rollout has one more.

    One besides looks at the queue.
    """
    [most] = [a for a in container("Deployment")["args"] if a.startswith("--max-pg-conn=")]
    replicas = manifests()["ScaledObject"]["spec"]["maxReplicaCount"]
    assert (replicas + 1) * int(most.partition("=")[2]) + 1 <= 97


# -- all of them ---------------------------------------------------------------------------------


def test_all_listen_on_one_port_which_is_no_exporters():
    """9100 is that of node_exporter, which runs on most machines."""
    listening = [port_of(unit_arguments()), port_of(container("Deployment")["args"])]
    [exposed] = [step.text for step in stages()[1] if step.name == "EXPOSE"]
    pod = manifests()["Deployment"]["spec"]["template"]
    listening += [int(exposed), int(pod["metadata"]["annotations"]["prometheus.io/port"])]
    pages = (PAGE, ROOT / "docs" / "observability.md")
    told = re.findall(r"(?:127|0)\.0\.0\.[01]:([1-9]\d*)", "".join(p.read_text() for p in pages))
    [port] = {*listening, *map(int, told)}
    assert not 9100 <= port < 10000, "where exporters of Prometheus listen"


@pytest.mark.parametrize(
    "arguments",
    [unit_arguments(), container("Deployment")["args"]],
    ids=["systemd", "Kubernetes"],
)
def test_a_worker_starts_so_answers_the_probes_and_ends_at_sigterm(
    arguments: list[str], tmp_path: Path, gw_database: str
):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "worker.py").write_text(APP)
    port = free_port()
    theirs = str(port_of(arguments))
    here = [one.replace(theirs, str(port)).replace("0.0.0.0", "127.0.0.1") for one in arguments]
    worker = subprocess.Popen(
        [*PROGRAM, *here],
        cwd=tmp_path,
        env=environment({"DATABASE_URL": gw_database}),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: answer_of(port, "/readyz") == 200)
        assert answer_of(port, "/healthz") == 200
        worker.terminate()
        _, err = worker.communicate(timeout=20)
    finally:
        worker.kill()
    assert worker.returncode == 0, err


def answer_of(port: int, page: str) -> int | None:
    try:
        return asyncio.run(ask(port, page)).status
    except OSError:
        return None
