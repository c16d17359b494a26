"""plait: SQL strings and pandas-like calls over one plan, run in parallel.

    import plait

    trips = plait.read_csv("trips-*.csv")
    trips[trips.fare > 0].groupby("day").tip.mean().compute()
    plait.sql("select day, avg(tip) from trips where fare > 0 group by day").compute()

Names are loaded when they are first used (PEP 562), so that `import plait` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait import config as config
    from plait import errors as errors
    from plait.client import Client as Client
    from plait.client import register_joblib as register_joblib
    from plait.dataframe import DataFrame as DataFrame
    from plait.deferred import Delayed as Delayed
    from plait.deferred import compute as compute
    from plait.deferred import delayed as delayed
    from plait.deferred import persist as persist
    from plait.deferred import visualize as visualize
    from plait.errors import PlaitError as PlaitError
    from plait.futures import Future as Future
    from plait.groupby import GroupBy as GroupBy
    from plait.groupby import NamedAgg as NamedAgg
    from plait.joins import merge as merge
    from plait.readers import from_arrow as from_arrow
    from plait.readers import from_pandas as from_pandas
    from plait.readers import read_csv as read_csv
    from plait.readers import read_delta as read_delta
    from plait.readers import read_json as read_json
    from plait.readers import read_parquet as read_parquet
    from plait.reshape import concat as concat
    from plait.reshape import to_datetime as to_datetime
    from plait.reshape import to_numeric as to_numeric
    from plait.scalar import Scalar as Scalar
    from plait.scheduler.cluster import LocalCluster as LocalCluster
    from plait.series import Series as Series
    from plait.session import Session as Session
    from plait.session import connect as connect
    from plait.session import sql as sql

__version__ = "0.1.0"

# name -> module and name within it ("" for the module itself)
_PUBLIC = {
    "Client": ("plait.client", "Client"),
    "DataFrame": ("plait.dataframe", "DataFrame"),
    "Delayed": ("plait.deferred", "Delayed"),
    "Future": ("plait.futures", "Future"),
    "GroupBy": ("plait.groupby", "GroupBy"),
    "LocalCluster": ("plait.scheduler.cluster", "LocalCluster"),
    "NamedAgg": ("plait.groupby", "NamedAgg"),
    "PlaitError": ("plait.errors", "PlaitError"),
    "Scalar": ("plait.scalar", "Scalar"),
    "Series": ("plait.series", "Series"),
    "Session": ("plait.session", "Session"),
    "compute": ("plait.deferred", "compute"),
    "concat": ("plait.reshape", "concat"),
    "config": ("plait.config", ""),
    "connect": ("plait.session", "connect"),
    "delayed": ("plait.deferred", "delayed"),
    "errors": ("plait.errors", ""),
    "from_arrow": ("plait.readers", "from_arrow"),
    "from_pandas": ("plait.readers", "from_pandas"),
    "merge": ("plait.joins", "merge"),
    "persist": ("plait.deferred", "persist"),
    "read_csv": ("plait.readers", "read_csv"),
    "read_delta": ("plait.readers", "read_delta"),
    "read_json": ("plait.readers", "read_json"),
    "read_parquet": ("plait.readers", "read_parquet"),
    "register_joblib": ("plait.client", "register_joblib"),
    "sql": ("plait.session", "sql"),
    "to_datetime": ("plait.reshape", "to_datetime"),
    "visualize": ("plait.deferred", "visualize"),
    "to_numeric": ("plait.reshape", "to_numeric"),
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'plait' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    loaded = importlib.import_module(module)
    value = getattr(loaded, attribute) if attribute else loaded
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
