"""The tables of H2O.ai's db-benchmark, after its generators groupby-datagen.R and join-datagen.R.

The distributions are theirs, the random numbers are numpy's. Tables are Parquet in a folder whose
name holds the options as theirs does: G1_1e7_1e2_0_0 are ten million rows, a hundred groups, no
NULLs, in random order. The join has keys of a millionth, a thousandth and all of the rows, 90 % of
which each of its sides shares with the other; below ten million rows, which the original refuses,
no table is shorter than ten rows.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SEED = 108
JOINED = ("x", "small", "medium", "big")


@dataclass(frozen=True)
class Shape:
    """What the generators are told: rows, groups, percent of NULLs, sorted by the keys or not."""

    rows: int = 10**7
    groups: int = 100
    nulls: int = 0
    ordered: bool = False

    def name(self, letter: str) -> str:
        """Of the folder; groups mean nothing to the join."""
        groups = _power(self.groups) if letter == "G1" else "NA"
        return f"{letter}_{_power(self.rows)}_{groups}_{self.nulls}_{int(self.ordered)}"


def groupby_folder(shape: Shape, root: Path) -> Path:
    """The folder with x.parquet; generated when it is not there."""
    return _folder(root / f"h2o-{shape.name('G1')}", lambda: {"x": groupby_table(shape)})


def join_folder(shape: Shape, root: Path) -> Path:
    """The folder with x, small, medium and big; generated when it is not there."""
    return _folder(root / f"h2o-{shape.name('J1')}", lambda: join_tables(shape))


def groupby_table(shape: Shape) -> pa.Table:
    """Three keys as text, three as numbers, three values."""
    random = np.random.default_rng(SEED)
    rows, groups = shape.rows, shape.groups
    small = max(rows // groups, 1)  # of the groups of id3 and id6

    def drawn(limit: int) -> np.ndarray:
        return random.integers(1, limit, rows, dtype=np.int32, endpoint=True)

    table = pa.table(
        {
            "id1": _texts(drawn(groups), groups, 3),
            "id2": _texts(drawn(groups), groups, 3),
            "id3": _texts(drawn(small), small, 10),
            "id4": drawn(groups),
            "id5": drawn(groups),
            "id6": drawn(small),
            "v1": drawn(5),
            "v2": drawn(5),
            "v3": np.round(random.uniform(0, 100, rows), 4),
        }
    )
    for number, name in enumerate(table.column_names):
        chosen = random.choice(rows, rows * shape.nulls // 100, replace=False)
        table = table.set_column(number, name, _without(table.column(name), chosen))
    return _sorted(table, [f"id{n}" for n in range(1, 7)]) if shape.ordered else table


def join_tables(shape: Shape) -> dict[str, pa.Table]:
    """x, and what it is joined with: small by id1, medium by id2, big by id3."""
    random = np.random.default_rng(SEED)
    sizes = [max(shape.rows // part, 10) for part in (10**6, 10**3, 1)]
    keys = [_Keys.of(size, random) for size in sizes]

    ids = [_draw_all(k.left, shape.rows, random) for k in keys]
    left = pa.table({f"id{n}": column for n, column in enumerate(ids, 1)})
    if shape.ordered:
        left = _sorted(left, left.column_names)
    values = pa.array(np.round(random.uniform(0, 100, shape.rows), 6))
    for number, name in enumerate(left.column_names):
        column = left.column(name)
        different = pc.unique(column)
        lost = random.choice(len(different), len(different) * shape.nulls // 100, replace=False)
        gone = pc.is_in(column, value_set=different.take(pa.array(lost)))
        left = left.set_column(number, name, pc.if_else(gone, None, column))
    chosen = random.choice(shape.rows, shape.rows * shape.nulls // 100, replace=False)
    tables = {"x": _labelled(left, "v1", _without(values, chosen))}

    for count, (name, size) in enumerate(zip(JOINED[1:], sizes, strict=True), 1):
        ids = [_draw_all(k.right, size, random) for k in keys[:count]]
        right = pa.table({f"id{n}": column for n, column in enumerate(ids, 1)})
        if shape.ordered:
            right = _sorted(right, [f"id{count}"])
        v2 = pa.array(np.round(random.uniform(0, 100, size), 6))
        tables[name] = _labelled(right, "v2", v2)
    return tables


@dataclass(frozen=True)
class _Keys:
    """Numbers from 1, a tenth more than rows: nine tenths of a side are on the other too."""

    left: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, size: int, random: np.random.Generator) -> _Keys:
        numbers = random.permutation(np.arange(1, size * 11 // 10 + 1, dtype=np.int32))
        shared = size * 9 // 10
        return cls(numbers[:size], np.concatenate([numbers[:shared], numbers[size:]]))


def _draw_all(keys: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """So many of the keys, each at least once, in random order."""
    more = random.choice(keys, size - len(keys))
    return random.permutation(np.concatenate([keys, more]))


def _labelled(ids: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The keys, the same as text (a NULL as R writes it), and a value."""
    for number, key in enumerate(ids.column_names, 4):
        digits = pc.fill_null(ids.column(key).cast(pa.string()), "NA")
        ids = ids.append_column(f"id{number}", pc.binary_join_element_wise("id", digits, ""))
    return ids.append_column(name, values)


def _texts(numbers: np.ndarray, count: int, digits: int) -> pa.Array:
    """`id` and the number, with leading zeros."""
    words = pa.array([f"id{n:0{digits}}" for n in range(1, count + 1)])
    return words.take(pa.array(numbers - 1))


def _without(column: pa.ChunkedArray | pa.Array, rows: np.ndarray) -> pa.ChunkedArray | pa.Array:
    if not len(rows):
        return column
    gone = np.zeros(len(column), dtype=bool)
    gone[rows] = True
    return pc.if_else(pa.array(gone), None, column)


def _sorted(table: pa.Table, names: list[str]) -> pa.Table:
    keys = [(name, "ascending", "at_start") for name in names]
    return table.take(pc.sort_indices(table, sort_keys=keys))


def _power(count: int) -> str:
    """10000000 as 1e7, as the original names its files."""
    digits = str(count)
    return f"{digits[0]}e{len(digits) - 1}"


def _folder(folder: Path, tables: Callable[[], Mapping[str, pa.Table]]) -> Path:
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, table in tables().items():
                pq.write_table(table, unfinished / f"{name}.parquet", row_group_size=2**20)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder
