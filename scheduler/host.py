"""What this machine, or the container around us, lets us use."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from contextlib import suppress
from pathlib import Path

_MMAP_THRESHOLD = -3  # mallopt's M_MMAP_THRESHOLD


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


def available_memory(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of memory this process may use: the machine's, and in a container no more than its own.

    Raises OSError where the system does not tell.
    """
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError) as error:  # neither Linux nor macOS
        raise OSError("this system does not tell how much memory it has") from error
    limits = [_number(path) for path in _limit_files(cgroup)]
    return min([machine, *(limit for limit in limits if limit)])


def _limit_files(cgroup: Path) -> list[Path]:
    """Where limits of our control group and of those around it may stand, versions 1 and 2."""
    files = [cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"]
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return files
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        folder, name = (
            (cgroup / "memory", "memory.limit_in_bytes") if controllers else (cgroup, "memory.max")
        )
        for part in Path(path.lstrip("/")).parts:
            folder = folder / part
            files.append(folder / name)
    return files


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None  # "max" is no limit


def process_memory(process: str = "self") -> int:
    """Bytes of memory that a process has to itself; 0 where the system does not tell.

    Without the pages of mapped files, libraries and spilled results among them, which the system
    takes back when it needs them.
    """
    try:
        resident, shared = Path(f"/proc/{process}/statm").read_text().split()[1:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def give_back_large_blocks() -> None:
    """Have the C library give blocks of memory back to the system one by one, from 1 MiB on.

    For processes with lists that grow for long, as a scheduler's: glibc learns from the first one
    that was freed to keep such blocks, and each list leaves all its former sizes behind.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1 << 20)
