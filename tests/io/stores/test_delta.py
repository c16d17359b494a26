"""Delta tables in a store: deltalake finds the log, our reader the files, by the same options."""

from __future__ import annotations

import deltalake
import pyarrow as pa
import pytest

import plait
from plait.errors import ReadError
from tests.assertions import assert_same_rows
from tests.io.stores.conftest import Opened


def test_delta_table_in_s3(opened: Opened, tmp_path: object) -> None:
    bucket = opened("moto")
    rows = pa.table({"x": [1, 2, 3], "k": ["a", "b/c d", None]})
    deltalake.write_deltalake(f"{tmp_path}/t", rows, partition_by=["k"])
    bucket.fs.put(f"{tmp_path}/t", bucket.fs._strip_protocol(bucket.url("t")), recursive=True)
    url, options = bucket.url("t"), dict(bucket.options)
    frame = plait.read_delta(url, storage_options=options)
    assert_same_rows(frame.to_arrow(), rows)
    assert frame[frame.k == "b/c d"].x.sum().compute() == 2
    with pytest.raises(ReadError) as caught:
        plait.read_delta(bucket.url("nothing"), storage_options=options)
    assert "plaitsecret" not in str(caught.value)
