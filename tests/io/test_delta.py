"""Delta tables: written by deltalake, and judged by its own reader."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest

import plait
from plait.errors import ColumnNotFoundError, ReadError, UnsupportedError
from plait.io import delta
from plait.io.delta import DeltaSource
from plait.planner.builder import call
from plait.planner.expr import Column, Literal
from plait.planner.source import Pushdown
from tests.assertions import assert_same_rows
from tests.io.reading import count_rows, read_source

FIRST = pa.table(
    {
        "x": [1, 2, 3],
        "region": ["a", "b", "b/c d=%"],
        "q": [1.5, None, 2.5],
        "day": pa.array([dt.date(2024, 1, 1), dt.date(2024, 1, 2), None]),
        "at": pa.array([dt.datetime(2024, 1, 1, 10), None, dt.datetime(1999, 1, 1)]).cast(
            pa.timestamp("us", "UTC")
        ),
    }
)
SECOND = (
    FIRST.slice(0, 1)
    .set_column(0, "x", pa.array([4]))
    .set_column(1, "region", pa.array([None], pa.string()))
)


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = str(tmp_path / "sales")
    deltalake.write_deltalake(path, FIRST, partition_by=["region", "day"])
    deltalake.write_deltalake(path, SECOND, mode="append")
    return path


def test_versions_and_partitions(table: str) -> None:
    source = DeltaSource(table)
    assert source.schema.names == ("x", "region", "q", "day", "at")
    assert_same_rows(read_source(source), pa.concat_tables([FIRST, SECOND]))
    assert_same_rows(read_source(DeltaSource(table, version=0)), FIRST)
    assert count_rows(source) == 4
    assert source.identity != DeltaSource(table, version=0).identity
    assert source.name == "sales"


def test_files_are_left_out_by_partition(table: str) -> None:
    source = DeltaSource(table)
    day = Column("day", source.schema["day"].type)
    wanted = call("equal", day, Literal(dt.date(2024, 1, 2), day.dtype))
    assert source.pushdown(wanted) == Pushdown.EXACT
    assert read_source(source, ["x", "day"], wanted).to_pydict() == {
        "x": [2],
        "day": [dt.date(2024, 1, 2)],
    }


def test_changed_and_removed_rows(table: str) -> None:
    lake = deltalake.DeltaTable(table)
    lake.delete("x = 2")
    lake.update(updates={"q": "9.0"}, predicate="x = 3")
    frame = plait.read_delta(table)
    assert sorted(frame.x.compute()) == [1, 3, 4]
    assert frame[frame.x == 3].q.sum().compute() == 9.0
    lake.optimize.compact()
    lake.create_checkpoint()
    assert_same_rows(plait.read_delta(table).to_arrow(), pa.table(lake.to_pyarrow_table()))
    old = plait.read_delta(table, version=1, columns=["x"]).to_arrow()
    assert sorted(old["x"].to_pylist()) == [1, 2, 3, 4]


def test_columns_that_came_later(table: str) -> None:
    more = SECOND.append_column("note", pa.array(["new"]))
    deltalake.write_deltalake(table, more, mode="append", schema_mode="merge")
    found = plait.read_delta(table).to_arrow()
    assert sorted(found["note"].to_pylist(), key=str) == [None, None, None, None, "new"]


def test_table_without_rows(tmp_path: Path) -> None:
    path = str(tmp_path / "empty")
    deltalake.write_deltalake(path, FIRST.slice(0, 0))
    found = plait.read_delta(path).to_arrow()
    assert (found.column_names, found.num_rows) == (FIRST.column_names, 0)
    assert plait.read_delta(path).x.count().compute() == 0


def test_what_is_not_there(table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReadError, match="version 7"):
        plait.read_delta(table, version=7)
    with pytest.raises(ReadError, match="No such folder"):
        plait.read_delta(tmp_path / "nothing")
    (tmp_path / "other").mkdir()
    with pytest.raises(ReadError, match="other"):
        plait.read_delta(tmp_path / "other")
    with pytest.raises(ColumnNotFoundError):
        plait.read_delta(table, columns=["y"])

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ReadError, match=r"pip install 'plait\[delta\]'"):
        DeltaSource(table)


def rewrite(path: str, change: Any) -> None:
    """Changes the actions of a table's first commit."""
    log = Path(path) / "_delta_log" / "00000000000000000000.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        change(action)
    log.write_text("\n".join(map(json.dumps, actions)) + "\n")


def test_deletion_vectors_are_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    deltalake.write_deltalake(path, FIRST)

    def allow(action: dict[str, Any]) -> None:
        if "protocol" in action:
            action["protocol"] = {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": ["deletionVectors"],
                "writerFeatures": ["deletionVectors"],
            }

    rewrite(path, allow)
    assert_same_rows(read_source(DeltaSource(path)), FIRST)  # allowed, but there are none

    def delete_first(action: dict[str, Any]) -> None:
        if "add" in action:
            action["add"]["deletionVector"] = {
                "storageType": "i",
                "pathOrInlineDv": "0rr91kR#0e-6{I}Vu",
                "offset": None,
                "sizeInBytes": 40,
                "cardinality": 1,
            }

    rewrite(path, delete_first)
    with pytest.raises(UnsupportedError, match="feature deletionVectors, which plait cannot read"):
        DeltaSource(path)


def test_column_mapping_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    deltalake.write_deltalake(path, FIRST)

    def rename(action: dict[str, Any]) -> None:
        if "protocol" in action:
            action["protocol"] = {"minReaderVersion": 2, "minWriterVersion": 5}
        if "metaData" in action:
            meta = action["metaData"]
            meta["configuration"]["delta.columnMapping.mode"] = "name"
            schema = json.loads(meta["schemaString"])
            for i, f in enumerate(schema["fields"]):
                f["metadata"] = {
                    "delta.columnMapping.id": i,
                    "delta.columnMapping.physicalName": f"c{i}",
                }
            meta["schemaString"] = json.dumps(schema)

    rewrite(path, rename)
    with pytest.raises(UnsupportedError, match="feature columnMapping, which plait cannot read"):
        DeltaSource(path)


def test_options_of_fsspec_are_told_to_deltalake() -> None:
    given = {"key": "k", "secret": "s", "client_kwargs": {"endpoint_url": "http://localhost:1"}}
    assert delta._of_deltalake(given) == {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_ENDPOINT_URL": "http://localhost:1",
        "AWS_ALLOW_HTTP": "true",
    }
