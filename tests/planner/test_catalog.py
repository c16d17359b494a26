"""Names of tables: without regard to case, in the one schema there is."""

from __future__ import annotations

import pytest

from plait.planner import builder
from plait.planner.catalog import MemoryCatalog, Overlay
from plait.planner.expr import Literal
from plait.planner.logical import LogicalPlan
from plait.planner.types import INT32


def rows(number: int) -> LogicalPlan:
    return builder.values(["n"], [[Literal(number, INT32)]])


@pytest.mark.parametrize(
    "name", [["Trips"], ["TRIPS"], ["main", "trips"], ["memory", "Main", "trips"]]
)
def test_case_does_not_matter(name: list[str]) -> None:
    assert MemoryCatalog({"trips": rows(1)}).table(name) == rows(1)


def test_another_schema_is_not_ours() -> None:
    assert MemoryCatalog({"trips": rows(1)}).table(["other", "trips"]) is None


def test_tables_and_views() -> None:
    catalog = MemoryCatalog({"A": rows(1)})
    catalog.add("v", rows(2), kind="view")
    assert catalog.names() == ["A", "v"]
    assert catalog.kind(["a"]) == "table"
    assert catalog.kind(["V"]) == "view"
    catalog.add("a", rows(3))
    assert catalog.table(["A"]) == rows(3)
    catalog.remove("a")
    assert "A" not in catalog
    assert len(catalog) == 1


def test_an_overlay_leaves_what_is_below() -> None:
    below = MemoryCatalog({"a": rows(1), "b": rows(2)})
    top = Overlay(below)
    top.add("A", rows(3))
    top.remove("b")
    assert top.table(["a"]) == rows(3)
    assert top.table(["b"]) is None
    assert [n.lower() for n in top.names()] == ["a", "a"] or top.names() == ["a"]
    assert below.table(["a"]) == rows(1)
    assert below.table(["b"]) == rows(2)
    top.add("b", rows(4))
    assert top.table(["b"]) == rows(4)
