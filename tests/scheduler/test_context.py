from __future__ import annotations

from pathlib import Path

import pytest

from plait.scheduler.context import CancelFlag, TaskContext, current_context
from plait.scheduler.errors import RunCancelledError
from plait.scheduler.scratch import ScratchFolder


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
