"""What each check is for, in a sentence."""

from __future__ import annotations

from typing import Final

PURPOSES: Final = {
    "database": "Nothing goes on without it.",
    "server": "Workers need a PostgreSQL of a supported version that can be written to.",
    "clock": "Clocks that differ make recurring jobs come at the wrong minute, with local time.",
    "notifications": "New jobs are announced by NOTIFY; where that is lost, they wait for the "
    "next poll.",
    "schema": "Workers of all languages share its tables and functions, revision by revision.",
    "rights": "Without them jobs cannot be claimed, completed, or even seen.",
    "connections": "A worker that gets no connection claims nothing.",
    "workers": "Jobs run where a worker lives; heartbeats tell which do.",
    "locks": "A job that a dead worker holds runs again only once somebody frees it.",
    "queues": "A queue runs one job at a time, and none while somebody holds it who is gone.",
    "unserved": "A job whose task no worker knows waits for ever.",
    "identifiers": "Tasks that no worker knows are left over from old code, or misspelt.",
    "crontabs": "Deployments that own the same entry keep each other's jobs from being added.",
    "vacuum": "Each job that is done leaves dead rows, through which every claim has to pass.",
    "transactions": "What has been open for long keeps vacuum from removing dead rows.",
    "indexes": "Claims find their jobs by index.",
    "sequences": "At the end of a sequence no job can be added.",
    "shutdown": "A worker that is killed too early leaves its jobs locked.",
}
"""By the name of the check."""
