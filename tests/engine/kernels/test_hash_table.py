"""Key codes and hash tables, against a dictionary of Python lists."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.engine.codegen import scatter
from plait.engine.kernels import keys
from plait.engine.kernels.hash_table import HashTable
from plait.engine.kernels.hashing import hash_columns
from plait.engine.kernels.keys import KeyCoder

SMALL = st.integers(-3, 3)
WIDE = st.one_of(SMALL, st.sampled_from([-(2**63), 2**63 - 1, 2**62, -(2**62)]))
TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int8": (pa.int8(), SMALL),
    "int64": (pa.int64(), WIDE),
    "uint64": (pa.uint64(), st.sampled_from([0, 1, 2**63, 2**64 - 1])),
    "double": (pa.float64(), st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf")])),
    "string": (pa.string(), st.sampled_from(["", "a", "b", "é"])),
    "bool": (pa.bool_(), st.booleans()),
    "decimal": (pa.decimal128(38, 2), st.decimals(-3, 3, places=2, allow_nan=False)),
    "date": (pa.date32(), st.integers(0, 4).map(lambda d: np.datetime64(d, "D").item())),
}


def same(value: Any) -> Any:
    """A value such that equal keys are equal Python objects."""
    if isinstance(value, float):
        return "nan" if value != value else value + 0.0
    return value


def expected_pairs(
    probe: list[tuple[Any, ...]], build: list[tuple[Any, ...]], safe: list[bool]
) -> list[tuple[int, int]]:
    rows = defaultdict(list)
    for number, key in enumerate(build):
        rows[tuple(map(same, key))].append(number)
    pairs = []
    for number, key in enumerate(probe):
        if all(s or v is not None for v, s in zip(key, safe, strict=True)):
            pairs += [(number, b) for b in rows[tuple(map(same, key))]]
    return pairs


@st.composite
def sides(draw: st.DrawFn) -> tuple[list[pa.Array], list[pa.Array], list[bool]]:
    kinds = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=3))
    columns: list[list[pa.Array]] = [[], []]
    for side in columns:
        rows = draw(st.integers(0, 12))
        for kind in kinds:
            dtype, values = TYPES[kind]
            data = draw(st.lists(st.none() | values, min_size=rows + 1, max_size=rows + 1))
            array = pa.array(data, dtype)
            if kind == "string" and draw(st.booleans()):
                array = array.dictionary_encode()
            side.append(array.slice(1))  # buffers with an offset
    safe = [draw(st.booleans()) for _ in kinds]
    return columns[0], columns[1], safe


@pytest.mark.parametrize("long", [scatter.LONG, 0])  # 0: strings are always found by their hashes
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=sides())
def test_pairs_are_those_of_equal_keys(
    data: tuple[list[pa.Array], list[pa.Array], list[bool]],
    long: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scatter, "LONG", long)
    probe, build, safe = data
    coder = KeyCoder(build, safe)
    table = HashTable(coder.codes(build), coder.span)
    found = table.matches(coder.codes(probe))
    got = sorted(zip(found[0].tolist(), found[1].tolist(), strict=True))
    rows = [list(zip(*(a.to_pylist() for a in side), strict=True)) for side in (probe, build)]
    assert got == sorted(expected_pairs(rows[0], rows[1], safe))
    has = table.contains(coder.codes(probe))
    assert set(np.flatnonzero(has).tolist()) == {p for p, _ in got}


@pytest.mark.parametrize("spread", [1, 10**12])
@pytest.mark.parametrize("distinct", [50, 5000])
def test_many_rows(spread: int, distinct: int) -> None:
    generator = np.random.default_rng(7)
    build = pa.array(generator.integers(0, distinct, 5000) * spread)
    probe = pa.array(generator.integers(-10, distinct + 10, 3000) * spread)
    coder = KeyCoder([build], [False])
    table = HashTable(coder.codes([build]), coder.span)
    probe_rows, build_rows = table.matches(coder.codes([probe]))
    pairs = expected_pairs(
        [(v,) for v in probe.to_pylist()], [(v,) for v in build.to_pylist()], [False]
    )
    assert sorted(zip(probe_rows.tolist(), build_rows.tolist(), strict=True)) == sorted(pairs)


@pytest.mark.parametrize("build", [["a", "bb", "ccc"], ["a", "bb", "xx", "a", None]])
def test_strings_of_the_same_hash(build: list[str | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """On the probe side alone, or on both."""
    monkeypatch.setattr(scatter, "LONG", 0)

    def by_length(texts: pa.Array) -> Any:
        return np.asarray(pc.fill_null(pc.binary_length(texts), 0)).astype(np.uint64)

    monkeypatch.setattr(keys, "hash_texts", by_length)
    probe = ["b", "bb", "yy", "a", "zzz", "", None, "xx"]
    coder = KeyCoder([pa.array(build)], [False])
    table = HashTable(coder.codes([pa.array(build)]), coder.span)
    rows, found = table.matches(coder.codes([pa.array(probe)]))
    got = sorted(zip(rows.tolist(), found.tolist(), strict=True))
    assert got == sorted(expected_pairs([(v,) for v in probe], [(v,) for v in build], [False]))


def test_hash_does_not_depend_on_the_encoding() -> None:
    strings = pa.array(["a", None, "b", "a"])
    assert (hash_columns([strings]) == hash_columns([strings.dictionary_encode()])).all()
    decimals = pa.array([1, None, -7, 3]).cast(pa.decimal128(21, 2))
    narrow = decimals.cast(pa.decimal64(18, 2))
    assert (hash_columns([decimals]) == hash_columns([narrow])).all()
    ints = pa.array([1, 2, None, -3], pa.int64())
    assert (hash_columns([ints]) == hash_columns([ints.cast(pa.int32())])).all()
    assert (hash_columns([ints.slice(1)]) == hash_columns([ints])[1:]).all()


def test_hash_spreads_rows() -> None:
    hashes = hash_columns([pa.array(np.arange(100_000) * 64)])
    counts = np.bincount(((hashes >> np.uint64(32)) % np.uint64(16)).astype(int), minlength=16)
    assert counts.min() > 0.9 * 100_000 / 16
