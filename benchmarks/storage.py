"""Three of sixteen columns of lineitem from S3: plait, Polars, pandas, through a proxy that counts.

    python -m benchmarks.storage --latency 50 --json data/bench/storage.json

The server is SeaweedFS on this machine; the proxy adds the latency to each answer. Nobody starts
with a footer in a cache. Requests and bytes of one run of each are printed below the times.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.figures import finish
from benchmarks.race import (
    Answer,
    Contestant,
    Settings,
    add_arguments,
    chosen,
    race,
)
from tests.io.servers import stores
from tests.io.servers.proxy import proxied
from tests.tpch.data import tpch_folder

COLUMNS = ["l_quantity", "l_extendedprice", "l_discount"]
JOB = "three columns"


def open_plait(settings: Settings) -> Answer:
    import plait  # in the contestant's own process only, here and below
    from plait.io import column_cache
    from plait.io.parquet import footer
    from plait.io.store import ranges as store_ranges

    footer.forget()
    column_cache.cache.shrink(0)
    if "plait.io.store.ranges" in sys.modules:
        store_ranges.forget()

    def answer(job: str) -> pa.Table:
        t = plait.read_parquet(settings["url"], storage_options=settings["options"])
        sums = ", ".join(f"sum({name}) as {name}" for name in COLUMNS)
        return plait.sql(f"select {sums} from t", tables={"t": t}).to_arrow()

    return answer


def open_polars(settings: Settings) -> Answer:
    import polars as pl

    names = {
        "key": "aws_access_key_id",
        "secret": "aws_secret_access_key",
        "endpoint_url": "aws_endpoint_url",
    }
    options = {names[k]: v for k, v in settings["options"].items()}
    options |= {"aws_region": "us-east-1", "aws_allow_http": "true"}

    def answer(job: str) -> pa.Table:
        scan = pl.scan_parquet(settings["url"], storage_options=options)
        return scan.select([pl.sum(name) for name in COLUMNS]).collect().to_arrow()

    return answer


def open_pandas(settings: Settings) -> Answer:
    import pandas as pd

    def answer(job: str) -> pa.Table:
        options = dict(settings["options"])
        frame = pd.read_parquet(
            settings["url"], columns=COLUMNS, storage_options=options, dtype_backend="pyarrow"
        )
        return pa.Table.from_pandas(frame.sum().to_frame().T)

    return answer


CONTESTANTS = [
    Contestant("plait", open_plait),
    Contestant("polars", open_polars),
    Contestant("pandas", open_pandas),
]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_arguments(parser, rounds=5)
    parser.add_argument("--latency", type=float, default=50, help="milliseconds for each answer")
    parser.add_argument("--scale", type=float, default=1, help="TPC-H scale factor")
    given = parser.parse_args(arguments)
    os.environ.update(stores.ENVIRONMENT)
    path = tpch_folder(given.scale, "parquet") / "lineitem.parquet"
    with tempfile.TemporaryDirectory() as folder, stores.seaweed(Path(folder)) as bucket:
        bucket.fs.put_file(str(path), "plait-test/lineitem.parquet")
        with proxied(bucket.port) as proxy:
            near = bucket.through(proxy.port)
            settings: dict[str, Any] = {
                "threads": given.threads,
                "latency_ms": given.latency,
                "url": near.url("lineitem.parquet"),
                "options": dict(near.options),
            }
            contestants = chosen(CONTESTANTS, given.only or ["plait", "polars"])
            faults = {"latency": given.latency / 1000}
            proxy.set(**faults)
            results = race([JOB], contestants, settings, rounds=given.rounds, timeout=given.timeout)
            done = finish("storage", settings, results, given.json)
            for contestant in contestants:
                proxy.set(**faults)
                contestant.open(settings)(JOB)
                seen = proxy.seen()
                print(
                    f"{contestant.name}: {len(seen.requests)} requests, {seen.bytes / 1e6:.1f} MB, "
                    f"{seen.at_once} at once"
                )
    return done


if __name__ == "__main__":
    sys.exit(main())
