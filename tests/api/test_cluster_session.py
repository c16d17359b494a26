"""Sessions on a cluster of this machine: SQL, dataframes, and frames that stay with the workers."""

from __future__ import annotations

import base64
import gc
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import plait
from tests.assertions import assert_same_rows

ROWS = 200_000


@pytest.fixture(scope="module")
def session() -> Iterator[plait.Session]:
    with plait.LocalCluster(2, memory_limit="1GB") as cluster, plait.connect(cluster) as made:
        yield made


@pytest.fixture(scope="module")
def table() -> pa.Table:
    random = np.random.default_rng(11)
    return pa.table({"k": random.integers(0, 5000, ROWS), "x": random.random(ROWS).round(3)})


SQL = "select k % 100 as g, count(*) n, min(x) low, max(x) high from t group by g"


def wanted(table: pa.Table) -> pa.Table:
    with duckdb.connect() as database:
        database.register("t", table)
        return database.sql(SQL).to_arrow_table()


def test_sql(session: plait.Session, table: pa.Table) -> None:
    assert_same_rows(session.sql(SQL, {"t": table}).to_arrow(), wanted(table))


def test_persisted(session: plait.Session, table: pa.Table) -> None:
    kept = session.from_arrow(table).persist()
    for _ in range(2):
        assert_same_rows(session.sql(SQL, {"t": kept}).to_arrow(), wanted(table))


def test_dataframe_with_a_function_of_the_caller(session: plait.Session, table: pa.Table) -> None:
    frame = session.from_arrow(table)
    found = frame.map_partitions(lambda rows: rows.assign(x=rows.x * 2)).groupby("k").x.max()
    expected = table.to_pandas().assign(x=lambda rows: rows.x * 2).groupby("k").x.max()
    pd.testing.assert_series_equal(found.compute(), expected)


class Guarded(SimpleHTTPRequestHandler):
    """Files for those who know the password."""

    def do_GET(self) -> None:
        wanted = base64.b64encode(b"user:word").decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self.send_error(401)
        else:
            super().do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""


def test_credentials_go_along(session: plait.Session, table: pa.Table, tmp_path: Path) -> None:
    table.to_pandas().to_csv(tmp_path / "t.csv", index=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://user:word@127.0.0.1:{server.server_address[1]}/t.csv"
        frame = session.read_csv(url)
        assert_same_rows(session.sql(SQL, {"t": frame}).to_arrow(), wanted(table))
        server.shutdown()


def test_an_error_names_the_task(session: plait.Session, table: pa.Table) -> None:
    text = session.from_arrow(table.append_column("t", pa.array(["no number"] * ROWS)))
    with pytest.raises(plait.errors.PlaitError, match="no number"):
        session.sql("select t::int from t where k > 1", {"t": text}).to_arrow()


def test_a_session_keeps_its_cluster() -> None:
    session = plait.connect(plait.LocalCluster(1))
    gc.collect()
    assert session.sql("select 42 as a").compute().a[0] == 42
    session.close()
