"""Graphs on a Ray cluster.

A batch is one Ray task with several returns: the report, and each bundle. References are kept in
the driver, which owns them as Ray means it: when the driver goes, so do the results. A worker that
dies is replaced, and Ray runs its task again, three times; then the run ends with Ray's error.

Plait has to be installed, in the same version, on every node.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from plait.scheduler.adapters.backend import Sent, Wishes
from plait.scheduler.adapters.batch import Batch, Bundle, Place, run_batch
from plait.scheduler.adapters.batching import Resources
from plait.scheduler.adapters.foreign import ForeignExecutor
from plait.scheduler.adapters.parcel import Parcel
from plait.scheduler.errors import GraphError, SchedulerLostError

# Of a node's memory as Ray counts it (it keeps some for its objects), for tasks.
_USABLE = 0.7
_RETRIES = 3  # how often a batch is run again whose worker died
_MOMENT = 0.2


class RayExecutor(ForeignExecutor):
    """Runs graphs on a user's Ray cluster.

    Parameters
    ----------
    address : str
        What `ray.init` takes: "auto" for the cluster that this machine is part of, "local" for one
        of its own, `host:port`, or `ray://host:10001`. If this process is connected to Ray already,
        that connection is used, and left open when the executor is closed.

    Raises
    ------
    SchedulerLostError
        If there is no Ray cluster at the address, or plait is not installed over there.
    """

    def __init__(self, address: str = "auto") -> None:
        own = not ray.is_initialized()
        if own:
            try:
                ray.init(address, include_dashboard=None if address != "local" else False)
            except (ConnectionError, RuntimeError) as error:
                raise SchedulerLostError(
                    f"There is no Ray cluster at {address!r}: {error}"
                ) from error
        backend = _RayBackend(own)
        try:
            _compare()
        except BaseException:
            if own:
                ray.shutdown()
            raise
        super().__init__(backend)


class _RayBackend:
    """See `Backend`."""

    def __init__(self, own: bool) -> None:
        self._own = own

    def workers(self) -> int:
        return int(ray.cluster_resources().get("CPU", 1))

    def threads(self) -> int:
        return 1  # each task has a process of its own

    def memory_limit(self) -> int | None:
        shares = [
            node["Resources"]["memory"] / max(1, node["Resources"].get("CPU", 1))
            for node in ray.nodes()
            if node["Alive"] and "memory" in node["Resources"]
        ]
        return int(_USABLE * min(shares)) if shares else None

    def check(self, resources: Resources) -> None:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(all(n.get(name, 0) >= amount for name, amount in resources) for n in nodes):
            raise GraphError(f"No node of the Ray cluster offers {dict(resources)}; it has {nodes}")

    def put(self, parcel: Parcel) -> Any:
        return ray.put((parcel,))

    def start(self, batch: Batch, inputs: Sequence[Any], wishes: Wishes) -> Sent:
        needs = dict(wishes.resources)
        given = _call.options(
            name=f"plait {wishes.name}",
            num_returns=1 + len(batch.bundles),
            num_cpus=needs.pop("CPU", 1),
            num_gpus=needs.pop("GPU", 0),
            resources=needs,
            max_retries=_RETRIES,
            # without data to be near to, the nodes share the work
            scheduling_strategy="DEFAULT" if inputs else "SPREAD",
        ).remote(batch, self.memory_limit(), *inputs)
        return Sent(given[0], tuple(given[1:]))

    def when_done(self, report: Any, call: Callable[[], None]) -> None:
        report.future().add_done_callback(lambda _: call())

    def report(self, report: Any) -> bytes:
        return ray.get(report)  # type: ignore[no-any-return]

    def fetch(self, references: Sequence[Any]) -> list[Bundle]:
        return ray.get(list(references))  # type: ignore[no-any-return]

    def cancel(self, run: str, reports: Sequence[Any]) -> None:
        for report in reports:
            # A task that is over cannot be cancelled, and need not.
            with contextlib.suppress(ValueError, TypeError):
                ray.cancel(report, force=False)

    def wait_inside(
        self, done: threading.Event, pending: Callable[[], list[Any]], until: float
    ) -> None:
        # While a task waits for Ray, Ray gives its processor to others.
        until = min(until, time.monotonic() + _MOMENT)
        reports = pending()
        if reports:
            left = max(0.0, until - time.monotonic())
            ray.wait(reports, num_returns=len(reports), timeout=left, fetch_local=False)
        done.wait(0.001)

    def close(self, executor: str) -> None:
        if not ray.is_initialized():
            return
        nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
        strategies = [NodeAffinitySchedulingStrategy(node, soft=True) for node in nodes]
        removed = [
            _remove.options(num_cpus=0, scheduling_strategy=strategy).remote(executor)
            for strategy in strategies
        ]
        ray.wait(removed, num_returns=len(removed), timeout=10)
        if self._own:
            ray.shutdown()

    def inside(self) -> Callable[[str], ForeignExecutor]:
        return _inside


def _run(batch: Batch, memory_limit: int | None, *bundles: Bundle) -> tuple[Any, ...]:
    """The Ray task of a batch."""
    name = f"{ray.util.get_node_ip_address()} {os.getpid()}"
    folder = _folder(batch.executor)
    return run_batch(batch, bundles, Place(name, str(folder), memory_limit))


def _clear(executor: str) -> None:
    """Remove what all workers of this node wrote for an executor."""
    shutil.rmtree(_folder(executor), ignore_errors=True)


def _version() -> str:
    return version("plait")


_call: Any = ray.remote(_run)
_remove: Any = ray.remote(_clear)
_environment: Any = ray.remote(_version)


def _folder(executor: str) -> Path:
    """The scratch folders of an executor on one node: of worker processes that come and go."""
    return Path(tempfile.gettempdir()) / f"plait-ray-{executor}"


_lock = threading.Lock()
_inner: dict[str, ForeignExecutor] = {}


def _inside(name: str) -> ForeignExecutor:
    """The executor, in a task of its own cluster."""
    with _lock:
        if name not in _inner:
            _inner[name] = ForeignExecutor(_RayBackend(own=False), name)
        return _inner[name]


def _compare() -> None:
    """Raise unless plait is over there as it is here. Ray sees to the version of Python."""
    here = version("plait")
    try:
        there = ray.get(_environment.options(num_cpus=0).remote())
    except (ModuleNotFoundError, ray.exceptions.RayError) as error:
        raise SchedulerLostError(
            f"The Ray cluster cannot run plait's tasks: {error}. Install plait {here} on its nodes"
        ) from error
    if there != here:
        raise SchedulerLostError(
            f"The Ray cluster has plait {there}, but here is plait {here}: they must be the same"
        )
