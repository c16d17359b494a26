"""Who called: the nearest code outside this package, for line numbers and for its variables."""

from __future__ import annotations

import os
import sys
from types import FrameType

PACKAGE = os.path.dirname(os.path.abspath(__file__))


def outside() -> FrameType | None:
    """The frame of the nearest calling code outside this package; None if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((PACKAGE, "<frozen")):
        frame = frame.f_back
    return frame


def caller() -> str | None:
    """`file:line` of the nearest calling line outside this package."""
    frame = outside()
    return None if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
