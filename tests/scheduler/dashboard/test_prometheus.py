from __future__ import annotations

import re

from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.dashboard.prometheus import metrics_text
from plait.scheduler.events import GroupSummary

SAMPLE = re.compile(r'^([a-z_]+)(\{([a-z]+="([^"\\\n]|\\.)*",?)+\})? (\S+)$')


def values(text: str) -> dict[str, float]:
    """Name with labels to value; every line must be of the format."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.match(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge))$", line)
        else:
            match = SAMPLE.match(line)
            assert match, line
            found[match[1] + (match[2] or "")] = float(match[5])
    return found


def test_totals() -> None:
    feed = Feed()
    feed.worker_joined(1, 'a "quoted" \\ name\n', 2, 0.0, memory_limit=100)
    feed.worker_sample(1, 1.0, 50, 20, 10, 1.25)
    feed.run_started("r", [GroupSummary("scan", "", 2)], 0.0)
    feed.task_done("r", 1, "t", 0, 0, 0.0, 0.5, rows=7, spilled=3)
    feed.task_failed("r", 1, "t", 1, 0, 0.5, 0.25, "boom")
    feed.run_ended("r", 1.0, "failed", "boom")
    feed.run_started("s", [], 1.0)
    feed.transfer(1, "t", 1.0, 0.125, 4096)
    feed.spill(1, "t", 1.0, 0.125, 5)
    name = 'worker="a \\"quoted\\" \\\\ name\\n",id="1"'
    assert values(metrics_text(feed)) == {
        'plait_tasks_total{state="done"}': 1,
        'plait_tasks_total{state="failed"}': 1,
        "plait_task_seconds_total": 0.75,
        "plait_rows_total": 7,
        'plait_queries_total{state="done"}': 0,
        'plait_queries_total{state="failed"}': 1,
        'plait_queries_total{state="cancelled"}': 0,
        "plait_queries_running": 1,
        "plait_transfers_total": 1,
        "plait_transfer_bytes_total": 4096,
        "plait_transfer_seconds_total": 0.125,
        "plait_spilled_bytes_total": 8,
        "plait_workers": 1,
        "plait_threads": 2,
        f"plait_worker_memory_bytes{{{name}}}": 50,
        f"plait_worker_held_bytes{{{name}}}": 20,
        f"plait_worker_spilled_bytes{{{name}}}": 10,
        f"plait_worker_memory_limit_bytes{{{name}}}": 100,
        f"plait_worker_processors{{{name}}}": 1.25,
    }


def test_families_without_values_are_left_out() -> None:
    assert "plait_worker_memory_bytes" not in metrics_text(Feed())
