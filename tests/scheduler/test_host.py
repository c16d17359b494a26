from __future__ import annotations

from pathlib import Path

import pytest

from plait.scheduler.host import available_cpus


@pytest.mark.parametrize(("quota", "most"), [("max 100000", 10**6), ("50000 100000", 1)])
def test_cgroup_quota(tmp_path: Path, quota: str, most: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert 1 <= available_cpus(tmp_path) <= most


def test_without_a_cgroup(tmp_path: Path) -> None:
    assert available_cpus(tmp_path) >= 1
