"""`import plait` is cheap, and every module has one name only.

Each check runs in an interpreter of its own: in this one the tests have imported everything.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.architecture.source import ROOMS, ROOT, imports, modules
from tests.architecture.test_layers import OPTIONAL

HEAVY = (
    "pandas",
    "pyarrow",
    "numpy",
    "sqlglot",
    "tornado",
    "fsspec",
    "yaml",
    "asyncio",
    "llvmlite",
)


def _loaded(code: str, folder: Path) -> set[str]:
    """The names in sys.modules after running the code in a fresh interpreter, in a folder."""
    script = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["plait", "plait.errors", "plait.config"])
def test_front_door_is_light(module: str, tmp_path: Path) -> None:
    # What site-packages' own .pth files import is not our doing.
    ours = _loaded(f"import {module}", tmp_path) - _loaded("", tmp_path)
    assert not ours & set(HEAVY)
    rooms = {f"plait.{room}" for room in ROOMS}
    assert not {name for name in ours if ".".join(name.split(".")[:2]) in rooms}


def test_every_module_has_one_name() -> None:
    """From the repository's root, where `planner` could be imported, nobody imports it."""
    absent = {name for name in OPTIONAL if find_spec(name) is None}
    names = [
        module.name
        for module in modules().values()
        if not module.name.endswith("__main__")
        and not any(
            found.at_module_level and found.target.split(".")[0] in absent
            for found in imports(module)
        )
    ]
    code = "import importlib\n" + "\n".join(f"importlib.import_module({n!r})" for n in names)
    loaded = _loaded(code, ROOT)
    assert set(names) <= loaded
    assert not loaded & (set(ROOMS) - {"io"})
    assert not {name for name in loaded if name.startswith("io.")}
