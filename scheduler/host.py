"""What this machine, or the container around us, lets us use."""

from __future__ import annotations

import math
import os
from pathlib import Path


def available_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors this process may use: its affinity mask and, in a container, its quota."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):  # not Linux, or cgroup v1: the mask is all we know
        return count
    return count if quota == "max" else max(1, min(count, math.ceil(int(quota) / int(period))))
