"""The least and the greatest strings of groups, against Python's own order of bytes."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import plait

PIECES = ["", "a", "b", "common", "prefix", "\0", "é", "zzzzzzzz"]
texts = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.none() | texts), max_size=40),
    kind=st.sampled_from([pa.string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]),
)
@pytest.mark.parametrize("grouped", [True, False])
def test_extremes(rows: list[tuple[int, str | None]], kind: pa.DataType, grouped: bool) -> None:
    binary = kind == pa.binary()
    values = [v.encode() if binary and v is not None else v for _, v in rows]
    table = pa.table(
        {
            "k": pa.array([k if grouped else 0 for k, _ in rows], pa.int64()),
            "v": pa.array(values, kind),
            "n": pa.array(range(len(rows)), pa.int64()),
        }
    )
    query = "select {} min(v) a, max(v) z, arg_min(n, v) p, arg_max(n, v) q from t {}"
    query = query.format(*(("k,", "group by k") if grouped else ("0 k,", "")))
    found = {r.pop("k"): r for r in plait.sql(query, {"t": table}).to_arrow().to_pylist()}

    def order(place: int) -> bytes:
        value = values[place]
        return value if isinstance(value, bytes) else str(value).encode()

    expected = {}
    for group in {k if grouped else 0 for k, _ in rows} | ({0} if not grouped else set()):
        places = [
            n for n, (k, v) in enumerate(rows) if v is not None and (k == group or not grouped)
        ]
        first = min(places, key=order, default=None)
        last = max(places, key=order, default=None)
        expected[group] = {
            "a": None if first is None else values[first],
            "z": None if last is None else values[last],
            "p": first,
            "q": last,
        }
    assert found == expected
