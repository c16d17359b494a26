"""Schemas as values."""

from __future__ import annotations

import copy
import pickle

import pyarrow as pa
import pytest

from plait.planner.schema import Field, Schema


@pytest.mark.parametrize(
    "dtype",
    [
        pa.int32(),
        pa.decimal128(15, 2),
        pa.timestamp("us", "Europe/Berlin"),
        pa.dictionary(pa.int8(), pa.string()),
        pa.struct([pa.field("x", pa.list_(pa.date32()), nullable=False)]),
        pa.uuid(),
    ],
    ids=str,
)
def test_pickled_and_copied_schemas_are_the_same(dtype: pa.DataType) -> None:
    schema = Schema((Field("a", pa.int64(), nullable=False), Field("b", dtype)))
    for made in (pickle.loads(pickle.dumps(schema)), copy.deepcopy(schema), copy.copy(schema)):
        assert made == schema
        assert made.names == ("a", "b")
        assert [f.nullable for f in made] == [False, True]
        assert made["b"].type == dtype
