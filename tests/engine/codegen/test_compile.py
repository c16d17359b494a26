"""Machine code in memory and on disk: what is kept, what is made anew."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plait import config
from plait.engine.codegen import compile as code

TEXT = """
define i32 @answer() {{
  ret i32 {}
}}
"""
SIGNATURES = {"answer": code.prototype(0)}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty cache on disk, and nothing in memory."""
    with config.set({"compile.cache": str(tmp_path / "code")}):
        code.forget()
        yield tmp_path / "code"
        code.forget()


def load(answer: int, effort: code.Effort = code.Effort.LEAST) -> code.Compiled:
    made = code.load(TEXT.format(answer), SIGNATURES, effort)
    assert made.functions["answer"]() == answer
    return made


def test_memory_then_disk(folder: Path) -> None:
    first = load(42)
    assert first.origin == "compiled"
    assert load(42) is first
    assert code.is_loaded(TEXT.format(42), code.Effort.LEAST)
    code.forget()
    assert not code.is_loaded(TEXT.format(42), code.Effort.LEAST)
    assert load(42).origin == "disk"


def test_another_text_or_effort_is_another_file(folder: Path) -> None:
    load(1), load(2), load(2, code.Effort.VECTORS)
    assert len(list(folder.iterdir())) == 3


def test_code_of_another_machine_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(3)
    code.forget()
    identity = code._identity()
    monkeypatch.setattr(code, "_identity", lambda: f"{identity} with another feature")
    assert load(3).origin == "compiled"
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "short"])
def test_a_damaged_file_is_made_anew(folder: Path, damage: str) -> None:
    load(4)
    code.forget()
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    at = len(whole) // 2
    changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    damaged = {"cut": whole[:at], "changed": changed, "empty": b"", "short": b"x"}
    path.write_bytes(damaged[damage])
    assert load(4).origin == "compiled"
    assert path.read_bytes()[:32] == whole[:32]


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with config.set({"compile.cache": str(tmp_path / "file" / "code")}):
        code.forget()
        assert load(5).origin == "compiled"
    with config.set({"compile.cache": None}):
        code.forget()
        assert load(5).origin == "compiled"


def test_threads_compile_a_module_once(folder: Path) -> None:
    made: list[code.Compiled] = []
    threads = [threading.Thread(target=lambda: made.append(load(6))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(m) for m in made}) == 1


def test_processes_share_a_folder(folder: Path) -> None:
    program = f"""
from plait import config
from plait.engine.codegen import compile as code
config.set({{"compile.cache": {str(folder)!r}}})
for n in range(20):
    text = {TEXT!r}.format(n)
    made = code.load(text, {{"answer": code.prototype(0)}}, code.Effort.LEAST)
    assert made.functions["answer"]() == n
"""
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [p.wait() for p in running] == [0, 0, 0]
    assert len(list(folder.iterdir())) == 20
    assert all(load(n).origin == "disk" for n in range(20))


def test_neither_the_folder_nor_memory_grow_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "_MOST_FILES", 8)
    monkeypatch.setattr(code, "_MOST_LOADED", 4)
    for answer in range(20):
        load(answer)
    assert len(list(folder.iterdir())) <= 8
    assert load(19).origin == "compiled"  # as it was made: it is still in memory
    assert not code.is_loaded(TEXT.format(0), code.Effort.LEAST)
    code.forget()
    assert load(19).origin == "disk"  # the latest stay
