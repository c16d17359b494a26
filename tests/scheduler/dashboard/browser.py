"""The browser that tests and the picture of the docs use."""

from __future__ import annotations

import shutil
import time
from typing import Any

# As root, in containers, with little shared memory, and without calling anybody.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The path of an installed Chromium, or None."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def wait_for(page: Any, condition: str, seconds: float = 60.0) -> None:
    """Return when a JavaScript expression is true in the page.

    Asked again and again from outside: playwright's own `wait_for_function` evaluates text in the
    page, which our pages' security policy forbids.
    """
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"Not true after {seconds} s: {condition}"
        page.wait_for_timeout(50)
