"""Executors as fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plait.scheduler.executor import Executor
from tests.scheduler.executors import EXECUTORS, LOCAL, Log, made


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with made(request, request.param) as executor:
        yield executor


@pytest.fixture(params=LOCAL)
def local(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with made(request, request.param) as executor:
        yield executor


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)
