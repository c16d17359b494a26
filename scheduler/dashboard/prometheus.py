"""A feed's totals in the text format that Prometheus reads (version 0.0.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.dashboard.workers import Worker

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Labelled = Sequence[tuple[Mapping[str, str], float]]


def metrics_text(feed: Feed) -> str:
    """All metrics of a feed."""
    totals, workers = feed.totals, feed.workers()
    latest = [(worker, worker.latest) for worker in workers if worker.latest is not None]
    families: list[tuple[str, str, str, _Labelled]] = [
        (
            "plait_tasks_total",
            "counter",
            "Tasks that ended, by how; one that is retried counts each time.",
            [({"state": state}, count) for state, count in totals.tasks.items()],
        ),
        (
            "plait_task_seconds_total",
            "counter",
            "Seconds that threads spent in tasks.",
            [({}, totals.task_seconds)],
        ),
        ("plait_rows_total", "counter", "Rows of the results of tasks.", [({}, totals.rows)]),
        (
            "plait_queries_total",
            "counter",
            "Queries and other jobs that ended, by how.",
            [({"state": state}, count) for state, count in totals.jobs.items()],
        ),
        ("plait_queries_running", "gauge", "Jobs that go on.", [({}, feed.running())]),
        (
            "plait_transfers_total",
            "counter",
            "Results fetched by one worker from another.",
            [({}, totals.transfers)],
        ),
        (
            "plait_transfer_bytes_total",
            "counter",
            "Bytes of those.",
            [({}, totals.transfer_bytes)],
        ),
        (
            "plait_transfer_seconds_total",
            "counter",
            "Seconds that took.",
            [({}, totals.transfer_seconds)],
        ),
        (
            "plait_spilled_bytes_total",
            "counter",
            "Bytes written to disk for want of memory.",
            [({}, totals.spilled_bytes)],
        ),
        ("plait_workers", "gauge", "Workers that are here.", [({}, len(workers))]),
        (
            "plait_threads",
            "gauge",
            "Threads of those that run tasks.",
            [({}, sum(worker.threads for worker in workers))],
        ),
        (
            "plait_worker_memory_bytes",
            "gauge",
            "Bytes that a worker's process uses.",
            [(_named(worker), sample.memory) for worker, sample in latest],
        ),
        (
            "plait_worker_held_bytes",
            "gauge",
            "Bytes of results in a worker's memory.",
            [(_named(worker), sample.held) for worker, sample in latest],
        ),
        (
            "plait_worker_spilled_bytes",
            "gauge",
            "Bytes of results on a worker's disk.",
            [(_named(worker), sample.spilled) for worker, sample in latest],
        ),
        (
            "plait_worker_memory_limit_bytes",
            "gauge",
            "Bytes that a worker may use; none is shown where there is no limit.",
            [(_named(worker), worker.memory_limit) for worker in workers if worker.memory_limit],
        ),
        (
            "plait_worker_processors",
            "gauge",
            "Processors that a worker uses; 1 is one of them, fully.",
            [(_named(worker), sample.cpu) for worker, sample in latest],
        ),
    ]
    return "".join(_family(*family) for family in families if family[3])


def _named(worker: Worker) -> Mapping[str, str]:
    return {"worker": worker.name, "id": str(worker.id)}


def _family(name: str, kind: str, text: str, values: _Labelled) -> str:
    lines = [f"# HELP {name} {text}\n# TYPE {name} {kind}\n"]
    for labels, value in values:
        inner = ",".join(f'{label}="{_escaped(given)}"' for label, given in labels.items())
        lines.append(f"{name}{'{' + inner + '}' if inner else ''} {value!r}\n")
    return "".join(lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
