"""Queries over a gigabyte of CSV: memory stays flat, Ctrl-C ends them, the process goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.heavy

FILE_ROWS = 500_000
FILES = 64  # of 16 MB each

PRELUDE = """
import json, os, re, signal, sys, threading, time
import plait
session = plait.connect("threads", threads=2)

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
"""

MEASURE = """
query = "select k, count(*) as n, sum(v) as v from {!r} group by k order by k"
table = session.sql(query.format(sys.argv[1]))
rows = table.compute()
print(json.dumps({"peak": peak(), "n": int(rows.n.sum()), "v": int(rows.v.sum()), "k": len(rows)}))
"""

INTERRUPT = """
def press():
    time.sleep(1.5)
    press.at = time.monotonic()
    os.kill(os.getpid(), signal.SIGINT)

query = session.sql(f"select k, count(distinct v) as n from '{sys.argv[1]}' group by k order by k")
took = []
for _ in range(3):
    presser = threading.Thread(target=press)
    presser.start()
    try:
        query.compute()
    except KeyboardInterrupt:
        took.append(time.monotonic() - press.at)
    presser.join()
rows = session.sql(f"select count(*) as n, sum(v) as v from '{sys.argv[2]}'").compute()
print(json.dumps({"took": took, "n": int(rows.n[0]), "v": int(rows.v[0])}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of 1, 16 and 64 files, which are all one file on the disk."""
    made = tmp_path_factory.mktemp("large")
    lines = [f"{i % 1000},{i},some text to read {i:07}\n" for i in range(FILE_ROWS)]
    (made / "one.csv").write_text("k,v,s\n" + "".join(lines))
    for files in (1, FILES // 4, FILES):
        (made / str(files)).mkdir()
        for i in range(files):
            os.link(made / "one.csv", made / str(files) / f"{i:02}.csv")
    return made


def run(code: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code, *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def total(files: int) -> int:
    return files * FILE_ROWS * (FILE_ROWS - 1) // 2


def test_memory_stays_flat(folder: Path) -> None:
    """Four times the files need no more memory; a gigabyte is grouped in a part of it."""
    found = {n: run(MEASURE, f"{folder}/{n}/*.csv") for n in (FILES // 4, FILES)}
    for files, answer in found.items():
        assert answer["n"] == files * FILE_ROWS
        assert answer["v"] == total(files)
        assert answer["k"] == 1000
    small, large = found[FILES // 4]["peak"], found[FILES]["peak"]
    assert large < 1.25 * small, (small, large)
    assert large < 600, (small, large)


def test_ctrl_c(folder: Path) -> None:
    found = run(INTERRUPT, f"{folder}/{FILES}/*.csv", f"{folder}/1/*.csv")
    assert found["n"] == FILE_ROWS
    assert found["v"] == total(1)
    took = found["took"]
    assert len(took) == 3
    assert max(took) < 2, took
