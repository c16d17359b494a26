"""Machine code in memory and on disk: what is kept, what is made anew, what becomes better."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plait import config
from plait.engine.codegen import code_files, improve, machine
from plait.engine.codegen import compile as code
from plait.engine.codegen.machine import Grade

TEXT = """
define i32 @answer() {{
  ret i32 {}
}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty cache on disk, and nothing in memory."""
    with config.set({"compile.cache": str(tmp_path / "code"), "compile.checked": False}):
        code.forget()
        yield tmp_path / "code"
        improve.finish()
        code.forget()


def load(answer: int) -> code.Compiled:
    made = code.load(TEXT.format(answer))
    assert made.function("answer", 0)() == answer
    return made


def use(made: code.Compiled) -> None:
    made._used(code._MUCH)


def grades(folder: Path) -> list[str]:
    return sorted(path.stem.rpartition("-")[2] for path in folder.iterdir())


def test_memory_then_disk(folder: Path) -> None:
    first = load(42)
    assert first.origin == "compiled"
    assert load(42) is first
    for _ in range(2):
        code.forget()
        assert load(42).origin == "disk"


def test_a_function_that_is_not_there(folder: Path) -> None:
    with pytest.raises(KeyError):
        load(1).function("question", 0)


def test_another_text_is_another_file(folder: Path) -> None:
    load(1), load(2)
    assert grades(folder) == ["quick", "quick"]


def test_code_of_another_machine_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(3)
    code.forget()
    identity = machine.identity()
    monkeypatch.setattr(code, "identity", lambda: f"{identity} with another feature")
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
    assert code.load({TEXT!r}.format(n)).function("answer", 0)() == n
"""
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [p.wait() for p in running] == [0, 0, 0]
    assert len(list(folder.iterdir())) == 20
    assert all(load(n).origin == "disk" for n in range(20))


def test_neither_the_folder_nor_memory_grow_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_files, "_MOST_FILES", 8)
    monkeypatch.setattr(code, "_MOST_LOADED", 4)
    for answer in range(20):
        load(answer)
    assert len(list(folder.iterdir())) <= 8
    assert load(19).origin == "compiled"  # as it was made: it is still in memory
    code.forget()
    assert load(19).origin == "disk"  # the latest stay


def test_code_outlives_the_cache_while_it_is_held(folder: Path) -> None:
    for answer in range(100):
        load(answer)
    code.forget()
    held = [load(answer).function("answer", 0) for answer in range(100)]  # in a few engines
    code.forget()
    assert [function() for function in held] == list(range(100))


# --------------------------------------------------------------------------------- better code


def test_what_is_used_much_becomes_better(folder: Path) -> None:
    made = load(7)
    before = made.function("answer", 0)
    for _ in range(10):
        assert made.call("answer") == 7
    improve.finish()
    assert made.grade is Grade.QUICK
    use(made)
    improve.finish()
    assert made.grade is Grade.BEST
    after = made.function("answer", 0)
    assert after is not before
    assert (before(), after()) == (7, 7)
    assert grades(folder) == ["best"]
    code.forget()
    assert (load(7).grade, load(7).origin) == (Grade.BEST, "disk")


def test_better_code_at_once_or_never(folder: Path) -> None:
    quick = load(8)
    with config.set({"compile.optimize": "first"}):
        assert load(8) is quick
        assert quick.grade is Grade.BEST
        assert load(9).grade is Grade.BEST
    with config.set({"compile.optimize": "never"}):
        made = load(10)
        use(made)
        improve.finish()
        assert made.grade is Grade.QUICK


def test_better_code_that_cannot_be_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = load(11)

    def fail(*_: object) -> None:
        raise MemoryError("no room for an optimizer")

    monkeypatch.setattr(machine.Code, "of_text", fail)
    use(made)
    improve.finish()
    assert made.function("answer", 0)() == 11
    assert "no room for an optimizer" in caplog.text


def test_a_process_that_ends_meanwhile(folder: Path) -> None:
    program = f"""
from plait import config
from plait.engine.codegen import compile as code, improve
config.set({{"compile.cache": {str(folder)!r}}})
improve._QUIET = 0
for n in range(50):
    code.load({TEXT!r}.format(n))._used(code._MUCH)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_compiles_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the parent's threads were about at that moment."""
    monkeypatch.setattr(improve, "_QUIET", 0)
    for number in range(20):
        use(load(100 + number))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                made = load(1000 + number)
                use(made)
                improve.finish()
                status = 0 if made.grade is Grade.BEST else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
