"""Files and functions stay small enough to be read in one go."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.architecture.source import ROOMS, ROOT

FILE_LINES = 600
FUNCTION_LINES = 100
FOLDERS = (*ROOMS, "tests", "examples", "benchmarks", ".ci")

# "folder/file.py" or "folder/file.py:function" to the reason why it may be longer.
EXCEPTIONS: dict[str, str] = {}


def _files() -> dict[str, Path]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): path for path in paths}


def _functions(path: Path) -> dict[str, int]:
    """Lines of every function by name, without its docstring: that is not code to follow."""
    sizes = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            documented = ast.get_docstring(node, clean=False) is not None
            docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            sizes[node.name] = (node.end_lineno or 0) - node.lineno + 1 - docstring
    return sizes


def test_files_are_short() -> None:
    sizes = {place: len(path.read_text().splitlines()) for place, path in _files().items()}
    long = {p: n for p, n in sizes.items() if n > FILE_LINES and p not in EXCEPTIONS}
    assert not long


def test_functions_are_short() -> None:
    sizes = {
        f"{place}:{name}": lines
        for place, path in _files().items()
        for name, lines in _functions(path).items()
    }
    long = {p: n for p, n in sizes.items() if n > FUNCTION_LINES and p not in EXCEPTIONS}
    assert not long


def test_exceptions_are_needed() -> None:
    files = _files()
    for place, reason in EXCEPTIONS.items():
        assert reason
        file, _, function = place.partition(":")
        assert file in files, f"{place} is gone"
        if function:
            assert _functions(files[file])[function] > FUNCTION_LINES, f"{place} is short by now"
        else:
            lines = len(files[file].read_text().splitlines())
            assert lines > FILE_LINES, f"{place} is short by now"


def test_no_file_for_everything() -> None:
    anything = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"}
    assert not {place for place, path in _files().items() if path.name in anything}
