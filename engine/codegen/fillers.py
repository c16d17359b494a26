"""Fillers: what a loop asks its caller to put among its pointers and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plait.engine.codegen.layout import Layout
from plait.planner.expr import Expr

SOURCE = -1  # where a column comes from: the batch, or a join by its number


@dataclass(frozen=True)
class Data:
    """The values of a column of the batch, or of a join table."""

    of: int
    name: str


@dataclass(frozen=True)
class Bits:
    """The validity bitmap of such a column, from the byte on in which it begins."""

    of: int
    name: str


@dataclass(frozen=True)
class Shift:
    """At which bit of the first byte of `what` a bitmap begins."""

    what: Data | Bits


@dataclass(frozen=True)
class Answers:
    """An expression's value for each entry of a column's dictionary, and last for NULL."""

    of: int
    name: str
    expr: Expr


@dataclass(frozen=True)
class AnswersKnown:
    """Whether each of these is not NULL, a byte each."""

    answers: Answers


@dataclass(frozen=True)
class NullCode:
    """How many entries the dictionary of a column has."""

    of: int
    name: str


@dataclass(frozen=True)
class TableArray:
    """An array of a join's table; see `plait.engine.operators.probing`."""

    join: int
    what: str


@dataclass(frozen=True)
class TableNumber:
    """A number of a join's table; `key` tells of which of its keys."""

    join: int
    what: str
    key: int = 0


@dataclass(frozen=True)
class KeyAnswers:
    """For each entry of a dictionary, the code that a join table's key has for it, or -1."""

    join: int
    key: int
    of: int
    name: str


@dataclass(frozen=True)
class TableShape:
    """What the code that probes a join table depends on.

    `lookup`: set (presence only), dense, ranked, hashed, empty, or one, whose row 0 matches without
    keys.
    `keys`: int or text, and whether NULLs match. `columns`: the layouts of the build columns that
    loops can read. `sparse`: most values that the keys may have are not there;
    `gate`: that is told by one of the keys.
    """

    lookup: str
    unique: bool
    keys: tuple[tuple[str, bool], ...]
    columns: tuple[tuple[str, Layout | None], ...]
    large: bool
    sparse: bool = False
    gate: int | None = None


@dataclass(frozen=True)
class KeyCodes:
    """For each code of a batch's dictionary, its number among all entries met; `key` counts the
    group keys, and after them the strings that aggregates keep."""

    key: int
    codes: Any


@dataclass(frozen=True)
class Ranks:
    """For each number of an entry (see KeyCodes), its place among all in order."""

    key: int
