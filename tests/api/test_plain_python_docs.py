"""The examples of docs/python.md and of the docstrings behind it do what they say."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import plait.client
import plait.deferred
import plait.holes

ROOT = Path(__file__).parents[2]


def test_examples_of_the_page() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "python.md"), module_relative=False)
    assert found.attempted > 15
    assert found.failed == 0


@pytest.mark.parametrize(
    "module", [plait.client, plait.deferred, plait.holes], ids=lambda module: module.__name__
)
def test_examples_of_docstrings(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert found.failed == 0


def test_the_example_runs() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "delayed_pipeline.py")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "in tips" in done.stdout
