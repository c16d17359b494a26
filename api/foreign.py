"""Executors over clusters of other makers, loaded when one is connected to.

Their packages are extras of plait (`plait[dask]`, `plait[ray]`) and take long to import.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from plait.errors import ConfigError, UnsupportedError

if TYPE_CHECKING:
    from plait.scheduler.executor import Executor

SCHEMES = {"dask": "distributed", "ray": "ray"}
"""Scheme of the URL -> the package it needs."""


def at(url: str) -> Executor:
    """The executor over the cluster at `dask://...` or `ray://...`."""
    scheme, _, address = url.partition("://")
    if find_spec(SCHEMES[scheme]) is None:
        raise UnsupportedError(
            f"{url!r} needs the package {SCHEMES[scheme]!r}, which is not installed: "
            f"pip install 'plait[{scheme}]'"
        )
    if not address:
        raise ConfigError(f"{url!r} names no cluster; write dask://host:8786 or ray://auto")
    if scheme == "dask":
        from plait.scheduler.adapters.dask import DaskExecutor

        return DaskExecutor(address if "://" in address else f"tcp://{address}")
    from plait.scheduler.adapters.ray import RayExecutor

    return RayExecutor(address)


def on_client(client: Any) -> Executor:
    """The executor over the cluster of a `distributed.Client`, which stays the caller's."""
    if type(client).__module__.partition(".")[0] != "distributed":
        raise ConfigError(
            f"There is nothing to connect to in a {type(client).__name__}; use a URL, 'threads', "
            "'inline' or a distributed.Client"
        )
    from plait.scheduler.adapters.dask import DaskExecutor

    return DaskExecutor(client)
