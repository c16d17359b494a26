from __future__ import annotations

import gc
import pickle
import resource
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from plait.engine import batches
from plait.engine.spill import SpilledRows, SpillFile
from plait.errors import SpillDiskFull, SpillError

ROWS = pa.record_batch(
    {
        "number": pa.array([1, None, 3]),
        "price": pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal64(9, 2)),
        "code": pa.array(["a", "b", "a"]).dictionary_encode(),
        "list": [[1, 2], None, []],
    }
)


def test_rows_come_back(tmp_path: Path) -> None:
    file = SpillFile(tmp_path)
    spilled = SpilledRows(file, [*file.write(ROWS), *file.write(ROWS.slice(1))])
    assert [b.num_rows for b in spilled] == [3, 2]
    assert spilled.rows == 5
    for name in ROWS.schema.names:
        assert batches.column(spilled[0], name).to_pylist() == ROWS[name].to_pylist()
        assert batches.column(spilled[1:][0], name).to_pylist() == ROWS[name].to_pylist()[1:]
    assert batches.column(spilled[0], "price").type == pa.decimal64(9, 2)


def test_rows_without_columns_keep_their_number(tmp_path: Path) -> None:
    file = SpillFile(tmp_path)
    (batch,) = SpilledRows(file, file.write(batches.without_columns(7)))
    assert (batch.num_rows, batch.num_columns) == (7, 0)


def test_large_batches_become_several_segments(tmp_path: Path) -> None:
    rows = pa.record_batch({"n": pa.array(range(5_000_000), pa.int64())})
    file = SpillFile(tmp_path)
    spilled = SpilledRows(file, file.write(rows))
    assert len(spilled) == 3
    assert pa.Table.from_batches(list(spilled)).to_batches()[0].num_rows < rows.num_rows
    assert pa.Table.from_batches(list(spilled)).combine_chunks().to_batches()[0].equals(rows)


def test_the_file_goes_with_its_last_user(tmp_path: Path) -> None:
    file = SpillFile(tmp_path)
    first, second = (SpilledRows(file, file.write(ROWS)) for _ in range(2))
    del file, first
    gc.collect()
    assert len(list(tmp_path.iterdir())) == 1
    assert second[0].num_rows == 3
    del second
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_rows_can_be_sent_to_a_process_that_has_no_such_file(tmp_path: Path) -> None:
    file = SpillFile(tmp_path)
    more = pa.record_batch({"n": range(100_000)})
    spilled = SpilledRows(file, [*file.write(ROWS), *file.write(more)])
    first = spilled[0]
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(spilled, 5, buffer_callback=buffers.append)
    assert len(data) < 2000
    del file, spilled
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    sent = pickle.loads(data, buffers=buffers)
    assert (sent.rows, len(sent)) == (ROWS.num_rows + 100_000, 2)
    assert sent[0].equals(first)
    assert pickle.loads(pickle.dumps(sent[1:]))[0].equals(more)


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    file = SpillFile(tmp_path)
    spilled = SpilledRows(file, file.write(ROWS))
    data = bytearray(file.path.read_bytes())
    data[len(data) // 2] ^= 1
    file.path.write_bytes(data)
    with pytest.raises(SpillError, match="not what was written"):
        list(spilled)


def test_a_cut_file_is_noticed(tmp_path: Path) -> None:
    file = SpillFile(tmp_path)
    spilled = SpilledRows(file, file.write(ROWS))
    file.path.write_bytes(file.path.read_bytes()[:-10])
    with pytest.raises(SpillError, match="not what was written"):
        list(spilled)


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    file = SpillFile(tmp_path)
    spilled = SpilledRows(file, file.write(ROWS))
    file.path.unlink()
    with pytest.raises(SpillError, match="cannot be read again"):
        list(spilled)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SpillError, match="spill_directory"):
        SpillFile(tmp_path / "missing")


_FULL = """
import resource, sys
import pyarrow as pa
import plait
from plait.errors import SpillDiskFull
table = pa.table({"k": pa.array(range(300_000)), "v": [f"text {i}" for i in range(300_000)]})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
with plait.connect(threads=2, memory_limit="200kB", spill_directory=sys.argv[1]) as session:
    session.register("t", table)
    try:
        session.execute("select k, max(v), count(*) from t group by k")
    except SpillDiskFull as error:
        print(error)
"""


def test_a_full_disk_names_the_folder_and_the_settings(tmp_path: Path) -> None:
    # a limit on the size of files fails as a full disk does: in the midst of a write
    assert resource.RLIMIT_FSIZE
    command = [sys.executable, "-c", _FULL, str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert str(tmp_path) in said
    assert "spill_directory" in said
    assert "memory_limit" in said
    assert list(tmp_path.iterdir()) == []
    assert issubclass(SpillDiskFull, OSError)
