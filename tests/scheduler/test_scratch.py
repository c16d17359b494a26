from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plait.scheduler.context import CancelFlag, TaskContext
from plait.scheduler.scratch import ScratchFolder, remove_abandoned


def test_scratch_is_lazy_and_removed(tmp_path: Path) -> None:
    scratch = ScratchFolder(str(tmp_path))
    context = TaskContext(scratch, CancelFlag())
    assert list(tmp_path.iterdir()) == []
    (context.scratch / "file").write_text("x")
    assert context.scratch.parent == tmp_path
    scratch.remove()
    scratch.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_outlives_its_executor_leaves_nothing(tmp_path: Path) -> None:
    scratch = ScratchFolder(str(tmp_path))
    context = TaskContext(scratch, CancelFlag())
    assert context.scratch.is_dir()
    scratch.remove()
    with pytest.raises(FileNotFoundError, match="went with its executor"):
        _ = context.scratch
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_while_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = ScratchFolder(str(tmp_path))
    folder, remove = scratch.path, shutil.rmtree

    def late(path: Path, ignore_errors: bool) -> None:
        with pytest.raises(FileNotFoundError):
            (folder / "file").write_text("x")
        remove(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", late)
    scratch.remove()
    assert list(tmp_path.iterdir()) == []


def test_parent_is_made(tmp_path: Path) -> None:
    scratch = ScratchFolder(str(tmp_path / "a" / "b"))
    assert scratch.path.parent == tmp_path / "a" / "b"


def test_a_living_owner_keeps_its_folder(tmp_path: Path) -> None:
    first, second = ScratchFolder(str(tmp_path)), ScratchFolder(str(tmp_path))
    (first.path / "file").write_text("x")
    assert second.path != first.path
    assert (first.path / "file").exists()
    assert remove_abandoned(tmp_path) == []


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "plait-notes").mkdir()
    assert remove_abandoned(tmp_path) == []
    assert (tmp_path / "plait-notes").is_dir()


def test_what_was_half_removed_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a process that ended just then."""
    scratch = ScratchFolder(str(tmp_path))
    (scratch.path / "rows").write_text("x")
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: (path / "owner.lock").unlink())
    scratch.remove()
    monkeypatch.undo()
    (left,) = tmp_path.iterdir()
    assert remove_abandoned(tmp_path) == [left]
    assert list(tmp_path.iterdir()) == []


_OWNER = """
import sys, time
from plait.scheduler.scratch import ScratchFolder
scratch = ScratchFolder(sys.argv[1])
(scratch.path / "rows").write_bytes(b"x" * 1000)
print(scratch.path, flush=True)
if sys.argv[2] == "stay":
    time.sleep(600)
"""


def test_what_a_killed_process_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OWNER, str(tmp_path), "stay"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        mine = ScratchFolder(str(tmp_path)).path
        assert (left / "rows").exists(), "its owner lives"
        process.send_signal(signal.SIGKILL)
    assert (left / "rows").exists()
    scratch = ScratchFolder(str(tmp_path))
    assert scratch.path.is_dir()
    assert not left.exists()
    assert mine.name != scratch.path.name


def test_a_process_that_ends_removes_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OWNER, str(tmp_path), "end"]
    subprocess.run(command, check=True, stdout=subprocess.PIPE)
    assert list(tmp_path.iterdir()) == []
