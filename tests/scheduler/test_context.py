from __future__ import annotations

from pathlib import Path

import pytest

from plait.scheduler.context import CancelFlag, ScratchFolder, TaskContext, current_context
from plait.scheduler.errors import RunCancelledError


def test_scratch_is_lazy_and_removed(tmp_path: Path) -> None:
    scratch = ScratchFolder(str(tmp_path))
    context = TaskContext(scratch, CancelFlag())
    assert list(tmp_path.iterdir()) == []
    (context.scratch / "file").write_text("x")
    assert context.scratch.parent == tmp_path
    scratch.remove()
    scratch.remove()
    assert list(tmp_path.iterdir()) == []
    assert context.scratch.is_dir()


def test_cancelled(tmp_path: Path) -> None:
    flag = CancelFlag()
    context = TaskContext(ScratchFolder(str(tmp_path)), flag)
    context.check_cancelled()
    flag.is_set = True
    assert context.cancelled
    with pytest.raises(RunCancelledError):
        context.check_cancelled()


def test_detached_context() -> None:
    context = current_context()
    assert not context.cancelled
    assert context.memory_limit is None
    context.report(rows=1, spilled=2)
    assert context.metrics() == {"rows": 1, "spilled": 2}
    assert current_context() is not context
