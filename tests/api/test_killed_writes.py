"""Processes killed in the middle of writing: what others then see, and what the next write does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import duckdb
import pandas as pd
import pytest

import plait

OLD = pd.DataFrame({"k": ["a", "b"] * 50, "n": range(100)})
NEW = pd.DataFrame({"k": ["a", "b"] * 50, "n": range(1000, 1100)})

# For each line, a target and a number, a fork writes: at the so many-th call of a function it kills
# itself, as power failures and OOM killers do; nothing is unwound. What became of it is printed.
SCRIPT = """
import os, signal, sys
import pandas as pd
import plait
from plait.io.write import output_files
from plait.io.write import commit

mode, partitioned = sys.argv[1], sys.argv[2] == "1"
rows = pd.DataFrame({"k": ["a", "b"] * 50, "n": range(1000, 1100)})
with plait.connect("inline") as session:  # loads what a fork then has; a fork has no threads
    session.from_pandas(rows).to_parquet(sys.argv[3])
count = dies_at = 0

def dying(module, name):
    real = getattr(module, name)
    def call(*args, **kwargs):
        global count
        count += 1
        if count == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(module, name, call)

for name in ("replace", "rename", "mkdir"):
    dying(os, name)
dying(commit.shutil, "rmtree")
for line in sys.stdin:
    target, _, number = line.rpartition(" ")
    child = os.fork()
    if not child:
        dies_at = int(number)
        frame = plait.Session(config={"threads": 1}).from_pandas(rows, npartitions=2)
        frame.to_parquet(target, mode=mode, **({"partition_on": "k"} if partitioned else {}))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def seen(path: Path) -> list[int]:
    try:
        return sorted(plait.read_parquet(path).compute().n)
    except plait.PlaitError:
        return []


def seen_by_duckdb(path: Path) -> list[int]:
    rows = duckdb.sql(f"select n from read_parquet('{path}/**/*.parquet') order by 1").fetchall()
    return [row[0] for row in rows]


@pytest.mark.heavy
@pytest.mark.parametrize("partitioned", [False, True])
@pytest.mark.parametrize("mode", ["error", "append", "overwrite"])
def test_killed_at_every_step(tmp_path: Path, mode: str, partitioned: bool) -> None:
    options = {"partition_on": "k"} if partitioned else {}
    new = sorted(NEW.n) if mode != "append" else sorted([*OLD.n, *NEW.n])
    old = [] if mode == "error" else sorted(OLD.n)
    warm = str(tmp_path / "warm")
    command = [sys.executable, "-c", SCRIPT, mode, str(int(partitioned)), warm]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        at, ended = 0, False
        while not ended:
            at += 1
            target = tmp_path / f"at{at}" / "out"
            if mode != "error":
                plait.from_pandas(OLD, npartitions=2).to_parquet(target, **options)
            writer.stdin.write(f"{target} {at}\n")
            writer.stdin.flush()
            code = int(writer.stdout.readline())
            assert code in (0, -signal.SIGKILL)
            ended = code == 0
            found = seen(target)
            if not (mode == "overwrite" and not target.exists()):
                assert found in (old, new), (at, len(found))
            again = plait.from_pandas(NEW, npartitions=2)
            if mode == "error" and found == new:
                with pytest.raises(plait.errors.WriteError, match="exists already"):
                    again.to_parquet(target, **options)
                continue
            again.to_parquet(target, mode=mode, **options)
            whole = sorted([*found, *NEW.n]) if mode == "append" else sorted(NEW.n)
            assert seen(target) == whole
            assert seen_by_duckdb(target) == whole
            assert not [p for p in target.parent.rglob("*") if p.name.startswith((".", "_"))]
    assert at > 3


@pytest.mark.parametrize("name", ["x.csv", "out"])
def test_killed_while_writing(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    script = (
        "import os, plait, time\n"
        "def slow(rows):\n"
        "    os.write(1, b'at work\\n')\n"
        "    time.sleep(0 if rows.n.iloc[0] < 30 else 60)\n"
        "    return rows\n"
        "import pandas as pd\n"
        "f = plait.from_pandas(pd.DataFrame({'n': range(100)}), npartitions=10)\n"
        f"f.map_partitions(slow).to_csv({str(target)!r})\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    for _ in range(4):
        assert process.stdout.readline() == "at work\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert not target.exists()
    assert [p for p in os.listdir(tmp_path) if not p.startswith(".")] == []
    plait.from_pandas(OLD).to_csv(target)  # no mode: nothing is there
    assert os.listdir(tmp_path) == [name]
    assert sorted(plait.read_csv(target).compute().n) == list(range(100))
