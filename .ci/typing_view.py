"""Make `.typing/plait`: the installed shape of the package, as links.

The rooms are mapped into the package by setuptools' `package-dir`, which type checkers do not
follow. The links show them `plait/errors.py`, `plait/planner/...` as an installation would.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VIEW = ROOT / ".typing" / "plait"
ROOMS = ("planner", "engine", "io", "scheduler")


def main() -> None:
    wanted = {room: ROOT / room for room in ROOMS}
    for path in (ROOT / "api").iterdir():
        if path.name != "__pycache__":
            wanted[path.name] = path

    VIEW.mkdir(parents=True, exist_ok=True)
    for link in VIEW.iterdir():
        if link.name not in wanted or not link.is_symlink():
            shutil.rmtree(link) if link.is_dir() and not link.is_symlink() else link.unlink()
    for name, target in wanted.items():
        link = VIEW / name
        if not link.is_symlink():
            link.symlink_to(Path("../..") / target.relative_to(ROOT))


if __name__ == "__main__":
    main()
