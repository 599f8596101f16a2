"""The files of deploy/, taken apart."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

import yaml
from support.doc_blocks import ROOT

DEPLOY = ROOT / "deploy"


@dataclass(frozen=True)
class Step:
    """An instruction of a Dockerfile."""

    name: str
    text: str


def stages() -> list[list[Step]]:
    """The instructions of each stage, `FROM` first."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    found: list[list[Step]] = []
    for step in steps_of(text):
        if step.name == "FROM":
            found.append([])
        found[-1].append(step)
    return found


def child_in_comment() -> str:
    """The Dockerfile of an application, as the comment of ours shows it."""
    text = (DEPLOY / "Dockerfile").read_text()
    return "\n".join(re.findall(r"^#   ((?!docker).*)$", text, re.MULTILINE)) + "\n"


def steps_of(text: str) -> list[Step]:
    """The instructions of a Dockerfile without comments."""
    lines = [line for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]
    return [Step(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def unit() -> dict[str, dict[str, str]]:
    """The sections of the systemd unit."""
    text = (DEPLOY / "graphile-worker.service").read_text().replace("\\\n", " ")
    sections: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            section[name] = value.strip()
    return sections


def manifests() -> dict[str, dict[str, Any]]:
    """The Kubernetes objects by kind."""
    return {
        one["kind"]: one
        for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
        for one in yaml.safe_load_all(path.read_text())
    }


def container(kind: str) -> dict[str, Any]:
    """The one container of an object's pods."""
    [found] = manifests()[kind]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def unit_arguments() -> list[str]:
    """What the unit starts graphile-worker with."""
    return shlex.split(unit()["Service"]["ExecStart"])[1:]
