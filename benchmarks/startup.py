"""How long until plait is there: imports, and the first answer of a new process.

    python -m benchmarks.startup --json data/bench/startup.json

`import X` is measured inside a fresh interpreter, without the interpreter's own start; the commands
are measured from outside, start included. Runs take turns, so that noise hits everybody. Bytecode
is cached for all: pip compiled the others when it installed them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Result, Results, write_json

IMPORTS = ("plait", "duckdb", "polars", "pandas", "pyarrow", "dask", "dask.dataframe")
SNIPPET = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"

PLAIT = Path(sys.executable).with_name("plait")
COMMANDS = {
    "plait sql": [str(PLAIT), "sql", "select 42"],
    "import dask.dataframe": [sys.executable, "-c", "import dask.dataframe"],
    "python": [sys.executable, "-c", "pass"],
}
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def import_seconds(module: str) -> float:
    """Seconds of one import in a fresh interpreter."""
    command = [sys.executable, "-c", SNIPPET.format(module)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return float(done.stdout)


def command_seconds(command: list[str]) -> float:
    """Seconds from start to end of a process."""
    started = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True, env=ENVIRONMENT)
    return time.perf_counter() - started


def measure(names: list[str], seconds: Callable[[str], float], rounds: int) -> dict[str, Result]:
    """Best and all runs of each name, in turns; the first turn only warms the page cache."""
    results = {name: Result() for name in names}
    for turn in range(rounds + 1):
        for name, result in results.items():
            if result.status != "ok":
                continue
            try:
                taken = seconds(name)
            except (subprocess.CalledProcessError, FileNotFoundError) as error:
                text = getattr(error, "stderr", None) or str(error)
                lines = (text.decode() if isinstance(text, bytes) else text).splitlines()
                result.status, result.note = "failed", lines[-1] if lines else ""
                continue
            if turn:
                result.runs.append(taken)
    return results


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="measure imports and cold starts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)

    imports = measure(list(IMPORTS), import_seconds, options.rounds)
    commands = measure(list(COMMANDS), lambda name: command_seconds(COMMANDS[name]), options.rounds)

    print("import, ms")
    for name, result in imports.items():
        print(f"  {name:24} {_milliseconds(result)}")
    print("whole process, ms")
    for name, result in commands.items():
        print(f"  {name:24} {_milliseconds(result)}")
    ours, theirs = commands["plait sql"].best, commands["import dask.dataframe"].best
    if ours and theirs:
        print(f"`plait sql` takes {ours / theirs:.2f} of `import dask.dataframe`")

    results: Results = {
        **{f"import {name}": {name.split(".")[0]: r} for name, r in imports.items()},
        "cold start": {"plait": commands["plait sql"], "dask": commands["import dask.dataframe"]},
    }
    if options.json is not None:
        write_json(options.json, "startup", {"rounds": options.rounds}, results)
    return int(any(r.status != "ok" for r in (imports["plait"], commands["plait sql"])))


def _milliseconds(result: Result) -> str:
    if result.best is None:
        return f"{result.status}: {result.note}"
    return f"{1000 * result.best:7.1f}   median {1000 * (result.median or 0):7.1f}"


if __name__ == "__main__":
    sys.exit(main())
