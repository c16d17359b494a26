"""`session.dashboard()`: what it shows of real queries, and that it goes with the session."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import duckdb
import numpy as np
import pandas as pd
import pytest

import plait
from plait.errors import ConfigError, UnsupportedError
from plait.watching import start_dashboard

ROWS = 200_000


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"k": np.arange(ROWS) % 7, "x": np.arange(ROWS)})


def news(url: str) -> Any:
    with urlopen(url.replace("/?", "/feed?"), timeout=60) as answer:
        return json.load(answer)


def test_a_query_is_shown_with_its_rows(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=ROWS // 4)
    query = f"select k, sum(x) s from '{tmp_path / 't.parquet'}' where x % 2 = 0 group by k"
    with plait.connect("threads", threads=2, compile__tier="vectorised") as session:
        url = session.dashboard()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32,}", url)
        assert session.dashboard() == url
        answer = session.execute(query)
        told = news(url)
    expected = duckdb.sql(query).fetchall()
    assert sorted(zip(*answer.to_pydict().values(), strict=True)) == sorted(expected)
    (job,) = told["jobs"]
    assert job["state"] == "done"
    assert [progress[0] for progress in job["progress"]] == [stage[2] for stage in job["stages"]]
    assert job["progress"][-1][3] == len(expected)
    # each operator's rows stand beside its line of the plan
    rows = {}
    for (_, note, _), progress in zip(job["stages"], job["progress"], strict=True):
        lines = note.splitlines()[1:]
        rows |= {lines[int(n)].split()[0]: count for n, count in progress[7].items()}
    assert rows["ScanSplits"] == ROWS
    tasks = sum(progress[0] for progress in job["progress"])
    assert sum(span[6] for span in told["spans"]) == tasks
    assert [worker["threads"] for worker in told["workers"]] == [2]


def test_delayed_calls_are_shown() -> None:
    with plait.connect("threads", dashboard=True) as session:
        url = session.dashboard()
        assert news(url)["jobs"] == []
        session.from_pandas(pd.DataFrame({"a": [1, 2]})).compute()
        assert [job["state"] for job in news(url)["jobs"]] == ["done"]


def test_an_inline_session_has_one_too() -> None:
    with plait.connect("inline", dashboard=True) as session:
        session.sql("select 42 as answer").compute()
        told = news(session.dashboard())
    assert told["title"].endswith("1 thread")
    assert [lane[2] for lane in told["lanes"]] == ["inline"]


def test_it_ends_with_its_session() -> None:
    with plait.connect("threads") as session:
        url = session.dashboard()
        news(url)
    with pytest.raises(URLError):
        urlopen(url, timeout=5)
    assert "plait-dashboard" not in {thread.name for thread in threading.enumerate()}


def test_it_ends_with_a_forgotten_session() -> None:
    session = plait.connect("threads")
    session.sql("select 1 as one").compute()
    url = session.dashboard()
    del session
    gc.collect()
    with pytest.raises(URLError):
        urlopen(url, timeout=5)


def test_a_taken_port_is_an_error_and_no_dashboard() -> None:
    with plait.connect("threads") as first, plait.connect("threads") as second:
        port = int(re.findall(r":(\d+)/", first.dashboard())[0])
        with pytest.raises(ConfigError, match=str(port)):
            second.dashboard(port)
        assert second.dashboard() != first.dashboard()


def test_executors_of_others_have_their_own() -> None:
    class Foreign:
        workers, memory_limit = 1, None

    with pytest.raises(UnsupportedError, match="Foreign"):
        start_dashboard(Foreign(), 0)  # type: ignore[arg-type]


def test_nothing_of_it_is_loaded_before() -> None:
    code = (
        "import sys, plait\n"
        "session = plait.connect('threads')\n"
        "session.sql('select 1 as one').compute()\n"
        "assert not {n for n in sys.modules if 'dashboard' in n or n.startswith('tornado')}\n"
        "session.dashboard()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
