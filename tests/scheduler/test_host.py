from __future__ import annotations

import os
from pathlib import Path

import pytest

from plait.scheduler.host import available_cpus, available_memory


@pytest.mark.parametrize(("quota", "most"), [("max 100000", 10**6), ("50000 100000", 1)])
def test_cgroup_quota(tmp_path: Path, quota: str, most: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert 1 <= available_cpus(tmp_path) <= most


def test_without_a_cgroup(tmp_path: Path) -> None:
    assert available_cpus(tmp_path) >= 1


def test_memory_of_a_cgroup(tmp_path: Path) -> None:
    machine = available_memory(tmp_path)
    assert machine == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory(tmp_path) == machine
    (tmp_path / "memory.max").write_text("268435456\n")
    assert available_memory(tmp_path) == 2**28


def test_memory_of_a_version_1_cgroup(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("134217728\n")
    assert available_memory(tmp_path) == 2**27
