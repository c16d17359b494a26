"""TPC-H tables and queries: made once, kept in the git-ignored `data/`."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
QUERIES = Path(__file__).with_name("queries")

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")


def query(number: int) -> str:
    """The text of query 1 to 22, in DuckDB's dialect, with the specification's parameters."""
    return (QUERIES / f"q{number:02}.sql").read_text()


def tpch_folder(scale: float, kind: Literal["parquet", "csv"], root: Path = ROOT / "data") -> Path:
    """The folder with one `<table>.<kind>` for each table; generates it when it is not there."""
    suffix = "" if kind == "parquet" else f"-{kind}"
    folder = root / f"tpch-sf{scale:g}{suffix}"
    if folder.exists():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    # Several test processes start at once: one generates, the others wait for it. The rename makes
    # the folder appear whole or not at all, also when the generator is killed.
    with (root / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=root))
            try:
                _generate(scale, kind, unfinished)
                unfinished.chmod(0o755)
                unfinished.rename(folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _generate(scale: float, kind: str, folder: Path) -> None:
    beside_python = Path(sys.executable).with_name("tpchgen-cli")
    program = str(beside_python) if beside_python.exists() else shutil.which("tpchgen-cli")
    if program is None:
        raise RuntimeError("tpchgen-cli is missing: pip install tpchgen-cli")
    command = [program, kind, "-s", f"{scale:g}", "--output-dir", str(folder), "--quiet"]
    subprocess.run([*command, "--num-threads", "2"], check=True)
    missing = [t for t in TABLES if not (folder / f"{t}.{kind}").exists()]
    if missing:
        raise RuntimeError(f"tpchgen-cli wrote no {kind} file for {', '.join(missing)}")
