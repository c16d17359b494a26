"""The `plait` command: sql, demo, scheduler, worker.

    plait sql "select count(*) from 'trips-*.csv'"
    plait sql -f report.sql --format csv --output report.csv
    plait demo

Only what a command needs is imported, so that `plait sql "select 42"` is quick.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import plait
from plait.cli_cluster import add_commands as add_cluster_commands
from plait.errors import PlaitError, WriteError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "csv", "json", "markdown")


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    main = argparse.ArgumentParser(
        prog="plait", description="SQL and dataframes over CSV and Parquet, in parallel."
    )
    main.add_argument("--version", action="version", version=f"plait {plait.__version__}")
    commands = main.add_subparsers(dest="command", required=True, metavar="command")

    sql = commands.add_parser("sql", help="run SQL over files and print the result")
    sql.add_argument("query", nargs="?", help="the statements; - or nothing reads standard input")
    sql.add_argument("-f", "--file", type=Path, help="a file of statements")
    sql.add_argument("--format", choices=FORMATS, help="of the result (table)")
    sql.add_argument("-o", "--output", type=Path, help="write there instead of the terminal")
    sql.add_argument("--dialect", default="duckdb", help="SQL dialect of the text (duckdb)")
    sql.add_argument("--threads", type=int, help="worker threads (one a processor)")
    sql.add_argument("--max-rows", type=int, default=40, help="rows of a table shown (40); 0: all")
    sql.set_defaults(run=run_sql)

    demo = commands.add_parser("demo", help="generate taxi trips and analyse them twice")
    demo.add_argument("--folder", "--dir", type=Path, default=Path("data/demo"), help="for CSVs")
    demo.add_argument("--size", "--size-gb", type=float, default=1.0, help="gigabytes of CSV (1)")
    demo.set_defaults(run=run_demo)
    add_cluster_commands(commands)
    return main


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code."""
    options = parser().parse_args(argv)
    try:
        return int(options.run(options))
    except PlaitError as error:
        print(f"plait: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("plait: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the reader of a pipe (head) has gone: that is no fault
        sys.stderr.close()
        return 0


def run_sql(options: argparse.Namespace) -> int:
    """`plait sql`."""
    text = _statements(options)
    out = options.output
    if out is not None and (out.is_dir() or not out.resolve().parent.is_dir()):
        # before the query is run, which may take long
        why = "it is a folder" if out.is_dir() else f"there is no folder {out.resolve().parent}"
        raise WriteError(f"{out} cannot be written: {why}")
    gc.disable()  # looking for garbage among freshly imported modules is a fifth of the start
    _leave_pandas_out()
    from plait import statements  # noqa: F401  (what `execute` imports)
    from plait.session import connect

    gc.freeze()
    gc.enable()
    settings = {} if options.threads is None else {"threads": options.threads}
    with connect("threads", **settings) as session:
        table = session.execute(text, dialect=options.dialect)
    kind = options.format or _format_of(out)
    if out is None:
        write(table, sys.stdout, kind, options.max_rows)
        return 0
    with _replacing(out) as path:
        if out.suffix.lower() in (".parquet", ".pq") and options.format is None:
            import pyarrow.parquet as pq

            pq.write_table(table, path)
        else:
            with path.open("w", newline="", encoding="utf-8") as file:
                write(table, file, kind, 0)
    return 0


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Where to write so that the file at `path` is replaced at once or not at all."""
    try:
        if path.exists() and not path.is_file():
            yield path  # a device or a pipe
            return
        path = path.resolve()  # a link stays one
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror or error}") from error


def _leave_pandas_out() -> None:
    """Tell pyarrow that there is no pandas.

    It looks for it when it converts its first Python value, and importing it takes longer than most
    queries. Nothing on the command line is a pandas object; who imports pandas itself still can.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    finder: Any = _NoPandas
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)


class _NoPandas:
    """An import hook for which there is no pandas."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Refuse pandas, leave all else to the other hooks."""
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name=name)


def _statements(options: argparse.Namespace) -> str:
    if options.file is not None:
        if options.query is not None:
            raise PlaitError("Give the statements as text or by --file, not both")
        try:
            return str(options.file.read_text())
        except OSError as error:
            raise PlaitError(f"{options.file} cannot be read: {error.strerror}") from None
    if options.query in (None, "-"):
        return sys.stdin.read()
    return str(options.query)


def _format_of(path: Path | None) -> str:
    suffix = "" if path is None else path.suffix.lower()
    known = {".csv": "csv", ".json": "json", ".jsonl": "json", ".md": "markdown"}
    return known.get(suffix, "table")


def write(table: pa.Table, out: TextIO, kind: str, max_rows: int) -> None:
    """A result as text."""
    from plait import textual

    match kind:
        case "csv":
            textual.write_csv(table, out)
        case "json":
            textual.write_json(table, out)
        case "markdown":
            textual.write_markdown(table, out)
        case _:
            textual.write_table(table, out, max_rows)


def run_demo(options: argparse.Namespace) -> int:
    """`plait demo`."""
    from plait.demo import run_demo as run

    run(options.folder, options.size)
    return 0
