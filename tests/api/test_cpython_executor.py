"""CPython's own tests of executors, run over `plait.Client`.

They are not part of this repository: they are taken from the standard library's `test` package
where Python was installed with it, or from `data/cpython/test_concurrent_futures.py` (Python 3.11;
it is `Lib/test/test_concurrent_futures.py` of CPython's sources). Without either, this file is
skipped; `test_client.py` has tests of our own for the same promises.

Left out is what is not about executors but about the pools' own insides, each with its reason.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import unittest
from pathlib import Path
from types import ModuleType

import pytest

import plait

_FILE = Path(__file__).parents[2] / "data" / "cpython" / "test_concurrent_futures.py"


def _loaded() -> dict[str, type]:
    """Class name -> CPython's classes of executor tests."""
    name = "test.test_concurrent_futures"
    try:
        module: ModuleType | None = importlib.import_module(name)
    except ImportError:
        module = _from_file(name) if _FILE.exists() and sys.version_info[:2] == (3, 11) else None
    if module is None:
        pytest.skip("CPython's tests are not installed", allow_module_level=True)
    modules = [module]
    if hasattr(module, "__path__"):  # a package since 3.12
        parts = ("executor", "test_shutdown", "test_wait", "test_as_completed", "util")
        modules = [importlib.import_module(f"{name}.{part}") for part in parts]
    return {key: value for one in modules for key, value in vars(one).items()}


def _from_file(name: str) -> ModuleType | None:
    try:
        spec = importlib.util.spec_from_file_location(name, _FILE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError:  # Python without even `test.support`
        return None
    return module


pytestmark = pytest.mark.heavy  # they sleep a lot

_cpython = _loaded()

_SHUTDOWN = "its script imports the executor from concurrent.futures by name; see test_client.py"
NOT_OURS = {
    "test_interpreter_shutdown": _SHUTDOWN,
    "test_submit_after_interpreter_shutdown": _SHUTDOWN,
    "test_hang_gh83386": _SHUTDOWN,
    "test_swallows_falsey_exceptions": "patches the pool's own work items",
}


class _Mixin(_cpython["ExecutorMixin"]):  # type: ignore[misc]
    executor_type = plait.Client


def _class(tests: str) -> type:
    bases = (_cpython[tests], _Mixin, _cpython["BaseTestCase"])
    skipped = {
        name: unittest.skip(reason)(lambda self: None)
        for name, reason in NOT_OURS.items()
        if hasattr(_cpython[tests], name)
    }
    return type(f"Test{tests}", bases, {"__module__": __name__, **skipped})


TestExecutor = _class("ExecutorTest")
TestShutdown = _class("ExecutorShutdownTest")
TestWait = _class("WaitTests")
TestAsCompleted = _class("AsCompletedTests")


class TestThreads(_Mixin, _cpython["BaseTestCase"]):  # type: ignore[misc]
    """Of the tests for thread pools alone, those that look at no inside."""


for _tests, _names in {
    "ThreadPoolExecutorTest": (
        "test_map_submits_without_iteration",
        "test_executor_map_current_future_cancel",
    ),
    "ThreadPoolWaitTests": ("test_pending_calls_race",),
}.items():
    for _name in _names:
        if hasattr(_cpython.get(_tests), _name):
            setattr(TestThreads, _name, getattr(_cpython[_tests], _name))
