"""Writes that fail or are interrupted: the target is as it was, and nothing else is there."""

from __future__ import annotations

import errno
import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import plait
from plait.cli import main
from plait.errors import PlaitError, WriteError
from plait.io.write.output_files import LocalOutput

ROWS = 40_000
WRITERS = ("parquet", "csv", "json")


@pytest.fixture
def session() -> plait.Session:
    return plait.Session(config={"threads": 2, "csv.blocksize": 20_000})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Numbers as texts in many partitions, the last line of which is none."""
    folder = tmp_path / "source"
    folder.mkdir()
    path = folder / "n.csv"
    lines = [f"a{i}" for i in range(10)] + [str(i) for i in range(ROWS)] + ["oops"]
    path.write_text("\n".join(["n", *lines]) + "\n")
    return path


def everything(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def failing(session: plait.Session, source: Path) -> plait.DataFrame:
    return session.sql(f"select cast(n as bigint) as n from '{source}' where n not like 'a%'")


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", ["out", "deep/out", "out.file"])
def test_error_in_a_late_partition(
    session: plait.Session, source: Path, tmp_path: Path, kind: str, name: str
) -> None:
    target = tmp_path / "new" / name
    single = name.endswith(".file")
    frame = failing(session, source)
    write = getattr(frame, f"to_{kind}")
    with pytest.raises(PlaitError, match="oops"):
        write(target, single_file=single)
    assert everything(tmp_path) == ["source", "source/n.csv"]

    # what was there before stays, whatever the mode
    good = session.from_pandas(pd.DataFrame({"n": [1, 2]}))
    getattr(good, f"to_{kind}")(target, single_file=single)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    for mode in ("overwrite",) if single else ("overwrite", "append"):
        with pytest.raises(PlaitError, match="oops"):
            write(target, single_file=single, mode=mode)
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.csv.gz", "x.json"])
def test_full_disk(session: plait.Session, tmp_path: Path, name: str) -> None:
    frame = session.sql("select range as n, md5(range::varchar) as s from range(50000)")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    kind = name.split(".")[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(WriteError, match=f"{name}.*File too large"):
            getattr(frame, f"to_{kind}")(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    gc.collect()
    assert everything(tmp_path) == []


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "out", "parts"])
def test_disk_without_room(
    session: plait.Session, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first part is written, then there is no room: folder and remedy are named."""
    real = LocalOutput.create

    class Full:
        def __init__(self, stream: Any) -> None:
            self._stream, self._room = stream, 100_000

        def write(self, data: Any) -> int:
            self._room -= len(data)
            if self._room < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(self._stream.write(data))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

    monkeypatch.setattr(LocalOutput, "create", lambda self, path: Full(real(self, path)))
    frame = session.sql("select range % 5 as k, md5(range::varchar) as s from range(50000)")
    options = {"partition_on": "k"} if name == "parts" else {}
    write = frame.to_csv if name == "x.csv" else frame.to_parquet
    before = everything(tmp_path)
    with pytest.raises(WriteError, match=r"No space left.*the disk of .* is full .* make room"):
        write(tmp_path / name, **options)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("single", [True, False])
def test_over_what_the_plan_reads(
    session: plait.Session, tmp_path: Path, kind: str, single: bool
) -> None:
    """The table is read to its end before anything is replaced, again and again."""
    target = tmp_path / "table"
    options = {"single_file": single}
    frame = session.from_pandas(pd.DataFrame({"n": range(1000)}), npartitions=4)
    getattr(frame, f"to_{kind}")(target, **options)
    for _ in range(3):
        read = getattr(session, f"read_{kind}")(target)
        read = read.assign(n=read.n + 1)
        getattr(read, f"to_{kind}")(target, mode="overwrite", **options)
    back = getattr(session, f"read_{kind}")(target)
    assert sorted(back.compute().n) == list(range(3, 1003))
    if not single:
        getattr(back[back.n > 1000], f"to_{kind}")(target, mode="append")
        assert len(getattr(session, f"read_{kind}")(target)) == 1002
    path = f"{target}/*" if not single else str(target)
    again = f"copy (select n from read_{kind}('{path}') where n < 10) to '{target}' "
    layout = "" if single else ", per_thread_output"
    session.sql(f"{again} (format {kind}, overwrite{layout})")
    assert sorted(getattr(session, f"read_{kind}")(target).compute().n) == list(range(3, 10))
    assert everything(tmp_path)[0] == "table"


def test_what_is_appended_has_the_same_columns(session: plait.Session, tmp_path: Path) -> None:
    frame = session.from_pandas(pd.DataFrame({"n": [1, 2], "s": ["x", "y"], "k": [1, 2]}))
    frame.to_parquet(tmp_path / "p", partition_on="k")
    frame.to_csv(tmp_path / "c", sep=";")
    before = everything(tmp_path)
    for wrong, message in (
        (frame.assign(n=1.5), r"'n' is BIGINT there, and DOUBLE"),
        (frame[["n", "k"]], "has the columns n, s; what is appended has n"),
        (frame.assign(z=1), "select the same"),
    ):
        with pytest.raises(WriteError, match=message):
            wrong.to_parquet(tmp_path / "p", partition_on="k", mode="append")
    with pytest.raises(WriteError, match="partitioned by k, what is appended by nothing"):
        frame.to_parquet(tmp_path / "p", mode="append")
    with pytest.raises(WriteError, match="in this order"):
        frame[["s", "n", "k"]].to_csv(tmp_path / "c", sep=";", mode="append")
    assert everything(tmp_path) == before
    frame[["s", "k", "n"]].to_parquet(tmp_path / "p", partition_on="k", mode="append")
    frame.to_csv(tmp_path / "c", sep=";", mode="append")
    assert len(session.read_parquet(tmp_path / "p")) == 4
    assert len(session.read_csv(tmp_path / "c", sep=";")) == 4


def test_a_link_stays_one(session: plait.Session, tmp_path: Path) -> None:
    frame = session.from_pandas(pd.DataFrame({"n": [1]}))
    frame.to_parquet(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    frame.to_parquet(tmp_path / "link", mode="overwrite")
    assert (tmp_path / "link").is_symlink()
    assert len(session.read_parquet(tmp_path / "real")) == 1


def test_two_at_once(session: plait.Session, tmp_path: Path) -> None:
    """Writers that add to one folder at the same time do not disturb each other."""

    def add(number: int) -> None:
        frame = session.from_pandas(pd.DataFrame({"n": [number] * 100}), npartitions=4)
        frame.to_parquet(tmp_path / "out", mode="append")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(8)))
    counts = session.read_parquet(tmp_path / "out").n.value_counts().compute()
    assert counts.sort_index().to_dict() == dict.fromkeys(range(8), 100)


def test_error_in_copy(session: plait.Session, source: Path, tmp_path: Path) -> None:
    query = f"select cast(n as bigint) as n from '{source}' where n not like 'a%'"
    for target in ("x.csv", "x.parquet"):
        with pytest.raises(PlaitError, match="oops"):
            session.sql(f"copy ({query}) to '{tmp_path / target}'")
    assert everything(tmp_path) == ["source", "source/n.csv"]


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.md"])
def test_error_on_the_command_line(
    source: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / name
    target.write_text("before")
    query = f"select cast(n as bigint) as n from '{source}' where n not like 'a%'"
    assert main(["sql", query, "--output", str(target)]) == 1
    shown = capsys.readouterr()
    assert "oops" in shown.err
    assert shown.out == ""
    assert target.read_text() == "before"
    assert everything(tmp_path) == ["source", "source/n.csv", name]


def test_output_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for target, message in ((tmp_path, "it is a folder"), (tmp_path / "no" / "x", "no folder")):
        assert main(["sql", "select 1", "--output", str(target)]) == 1
        assert message in capsys.readouterr().err
    assert everything(tmp_path) == []


def test_output_to_a_device_and_through_a_link(tmp_path: Path) -> None:
    assert main(["sql", "select 1 as a", "--format", "csv", "--output", "/dev/null"]) == 0
    assert Path("/dev/null").is_char_device()
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert main(["sql", "select 1 as a", "--output", str(tmp_path / "link.csv")]) == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "a\n1\n"


def test_folders_that_cannot_be_written(session: plait.Session, tmp_path: Path) -> None:
    frame = session.from_pandas(pd.DataFrame({"n": [1]}))
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match=r"file/x\.csv cannot be written: Not a directory"):
        frame.to_csv(tmp_path / "file" / "x.csv")
    assert everything(tmp_path) == ["file"]
    frame.to_csv(tmp_path / "new" / "deep" / "x.csv")  # folders are made
    assert (tmp_path / "new" / "deep" / "x.csv").read_text() == "n\n1\n"


@pytest.mark.parametrize("how", ["folder", "single", "append", "overwrite"])
def test_ctrl_c(session: plait.Session, tmp_path: Path, how: str) -> None:
    target = tmp_path / "out"
    options = {"single_file": True} if how == "single" else {}
    if how in ("append", "overwrite"):
        session.from_pandas(pd.DataFrame({"n": [1]})).to_csv(target)
        options = {"mode": how}
    before = everything(tmp_path)
    staged = threading.Event()

    def slow(rows: pd.DataFrame) -> pd.DataFrame:
        if rows["n"].iloc[0] > 0:
            staged.set()
            time.sleep(0.5)  # goes on after the write was given up
        return rows

    def interrupt() -> None:
        staged.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    frame = session.from_pandas(pd.DataFrame({"n": range(1, 100)}), npartitions=20)
    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        frame.map_partitions(slow).to_csv(target, **options)
    other.join()
    time.sleep(0.7)
    assert everything(tmp_path) == before
    assert frame.n.sum().compute() == 4950


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ctrl_c_on_the_command_line(tmp_path: Path) -> None:
    """The process is told with a signal; it leaves as shells expect it."""
    target = tmp_path / "x.csv"
    target.write_text("before")
    query = (
        "select sum(a.range * b.range) from range(100000) a, range(100000) b"
        " where a.range <> b.range"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "plait", "sql", query, "--output", str(target)],
        stderr=subprocess.PIPE,
        text=True,
    )
    while _processor_seconds(process.pid) < 2.5:  # at work on the query
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == "plait: interrupted\n"
    assert process.returncode == 130
    assert target.read_text() == "before"
    assert everything(tmp_path) == ["x.csv"]
