"""LIKE, GLOB and regular expressions: the kernels that match patterns.

LIKE patterns without wildcards inside become comparisons, prefix, suffix and substring searches;
others one regular expression, with `%` at the ends dropped and the anchors with it. Expressions are
RE2's (Arrow's and DuckDB's), but for `regexp_extract_all`, which runs in Python's `re`, once per
distinct text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine.kernels.encoding import (
    Kernel,
    Value,
    array_of,
    is_array,
    length_of,
    per_entry,
)
from plait.engine.kernels.rows import distinct_rows
from plait.engine.kernels.search import find_in_order, pays
from plait.errors import ComputeError

ANY, ONE = object(), object()  # % and _


@lru_cache(maxsize=1024)
def tokens(pattern: str, escape: str) -> tuple[Any, ...]:
    """A LIKE pattern as texts, ANY and ONE."""
    found: list[Any] = []
    text = ""
    at = 0
    while at < len(pattern):
        c = pattern[at]
        if escape and c == escape:
            at += 1
            if at == len(pattern):
                raise ComputeError(f"The LIKE pattern {pattern!r} ends with its escape character")
            text += pattern[at]
        elif c in "%_":
            if text:
                found.append(text)
                text = ""
            if not (c == "%" and found and found[-1] is ANY):
                found.append(ANY if c == "%" else ONE)
        else:
            text += c
        at += 1
    if text:
        found.append(text)
    return tuple(found)


def match_like(column: pa.Array, pattern: str, escape: str = "") -> pa.Array:
    """Whether each string fits a LIKE pattern."""
    match tokens(pattern, escape):
        case ():
            return pc.equal(column, pa.scalar("", column.type))
        case (str() as text,):
            return pc.equal(column, pa.scalar(text, column.type))
        case (only,) if only is ANY:
            return pc.is_valid(column) if not column.null_count else _true_or_null(column)
        case (str() as text, last) if last is ANY:
            return pc.starts_with(column, text)
        case (first, str() as text) if first is ANY:
            return pc.ends_with(column, text)
        case (first, str() as text, last) if first is ANY and last is ANY:
            return contains(column, text)
        case parts if ONE not in parts and pays(column, pieces := _texts(parts)):
            ends = {"at_start": parts[0] is not ANY, "at_end": parts[-1] is not ANY}
            return find_in_order(column, pieces, **ends)
        case parts:
            return pc.match_substring_regex(column, expression(parts))


def _texts(parts: Sequence[Any]) -> list[str]:
    return [p for p in parts if isinstance(p, str)]


def contains(column: pa.Array, text: str) -> pa.Array:
    """Whether each string has the text in it."""
    if pays(column, [text]):
        return find_in_order(column, [text])
    return pc.match_substring(column, text)


def _true_or_null(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_valid(column), pa.scalar(True), pa.scalar(None, pa.bool_()))


def expression(parts: Sequence[Any]) -> str:
    """The regular expression of a LIKE pattern's tokens."""
    begin, end = r"\A", r"\z"
    if parts[0] is ANY:
        begin, parts = "", parts[1:]
    if parts and parts[-1] is ANY:
        end, parts = "", parts[:-1]
    body = "".join(".*" if p is ANY else "." if p is ONE else escaped(p) for p in parts)
    return f"(?s){begin}{body}{end}"


def escaped(text: str) -> str:
    """The text as an RE2 expression for itself."""
    return re.sub(r"([^0-9A-Za-z_\u0080-\U0010ffff])", r"\\\1", text)


def by_pattern(
    matching: Callable[..., pa.Array], args: Sequence[Value], result: pa.DataType
) -> pa.Array:
    """A function of a column and constant patterns, where the patterns are columns as well.

    Each distinct combination of patterns is run over the rows that have it.
    """
    text, *patterns = args
    n = length_of(args)
    if not any(is_array(p) for p in patterns):
        if any(not p.is_valid for p in patterns):
            return pa.nulls(n, result)
        return matching(array_of(text, n), *(p.as_py() for p in patterns))
    numbers = distinct_rows(_Numbers(), patterns, pa.int32())
    combinations = numbers.to_numpy(zero_copy_only=False)
    rows_by_number: list[Any] = []
    answers: list[pa.Array] = []
    column = array_of(text, n)
    columns = [array_of(p, n) for p in patterns]
    for number in numbers.drop_null().unique().to_pylist():
        rows = np.flatnonzero(combinations == number)
        values = [c[int(rows[0])].as_py() for c in columns]
        answers.append(matching(column.take(pa.array(rows)), *values))
        rows_by_number.append(rows)
    place = np.full(n, -1)
    if rows_by_number:
        place[np.concatenate(rows_by_number)] = np.arange(sum(map(len, rows_by_number)))
    found = pa.concat_arrays(answers) if answers else pa.nulls(0, result)
    if not len(found):
        return pa.nulls(n, result)
    return found.take(pa.array(np.maximum(place, 0), mask=place < 0))


class _Numbers:
    """Numbers what it is called with: 0, 1, 2, ..."""

    def __init__(self) -> None:
        self.count = -1

    def __call__(self, *_: object) -> int:
        self.count += 1
        return self.count


def _kernel(matching: Callable[..., pa.Array]) -> Kernel:
    return per_entry(lambda args, result: by_pattern(matching, args, result))


def _ilike(column: pa.Array, pattern: str, escape: str = "") -> pa.Array:
    return match_like(pc.utf8_lower(column), pattern.lower(), escape)


def _glob_expression(pattern: str) -> str:
    out, at = [], 0
    while at < len(pattern):
        c = pattern[at]
        at += 1
        if c == "*":
            out.append(".*")
        elif c == "?":
            out.append(".")
        elif c == "\\" and at < len(pattern):
            out.append(escaped(pattern[at]))
            at += 1
        elif c == "[" and (close := pattern.find("]", at + 1)) > 0:
            inside = pattern[at:close]
            negated = inside.startswith("!")
            out.append(f"[{'^' if negated else ''}{escaped_class(inside[negated:])}]")
            at = close + 1
        else:
            out.append(escaped(c))
    return rf"(?s)\A{''.join(out)}\z"


def escaped_class(text: str) -> str:
    """The inside of a character class; only a dash keeps its meaning."""
    return re.sub(r"([\\\[\]^])", r"\\\1", text)


def _glob(column: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(column, _glob_expression(pattern))


def flagged(pattern: str, options: str) -> str:
    """The expression with DuckDB's options (c, i, l, m, n, p, s) written into it."""
    flags = ""
    for option in options:
        match option:
            case "i":
                flags += "i"
            case "s":
                flags += "s"
            case "c" | "g" | "m" | "n" | "p":
                pass  # the default of RE2 and of DuckDB, or for replacing only
            case "l":
                pattern = escaped(pattern)
            case _:
                raise ComputeError(f"Unknown regular expression option {option!r} in {options!r}")
    return f"(?{flags}){pattern}" if flags else pattern


def _run(function: Callable[..., pa.Array], column: pa.Array, pattern: str, **more: Any) -> Any:
    try:
        return function(column, pattern, **more)
    except pa.ArrowInvalid as error:
        raise ComputeError(f"Bad regular expression {pattern!r}: {error}") from None


def regexp_matches(column: pa.Array, pattern: str, options: str = "") -> pa.Array:
    """Whether the expression occurs in the text."""
    return _run(pc.match_substring_regex, column, flagged(pattern, options))


def regexp_full_match(column: pa.Array, pattern: str, options: str = "") -> pa.Array:
    """Whether the expression is all of the text."""
    if "l" in options:
        pattern, options = escaped(pattern), options.replace("l", "")
    return _run(pc.match_substring_regex, column, flagged(rf"\A(?:{pattern})\z", options))


def regexp_replace(column: pa.Array, pattern: str, replacement: str, options: str = "") -> pa.Array:
    """The first match replaced, or all with option g."""
    count = None if "g" in options else 1
    return _run(
        pc.replace_substring_regex,
        column,
        flagged(pattern, options),
        replacement=replacement,
        max_replacements=count,
    )


_GROUP = re.compile(
    r"\\.|\[(?:\^?\])?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\((?P<kind>\?P?<\w+>|\?)?", re.DOTALL
)


@lru_cache(maxsize=1024)
def named_groups(pattern: str) -> tuple[str, int]:
    """The expression with its groups named g1, g2, ..., all of it g0; and how many there are."""
    count = 0

    def name(found: re.Match[str]) -> str:
        nonlocal count
        if not found[0].startswith("(") or found["kind"] == "?":
            return found[0]  # an escape, a class, or (?:...) and (?i)
        count += 1
        return f"(?P<g{count}>"

    body = _GROUP.sub(name, pattern)
    return f"(?P<g0>{body})", count


def regexp_extract(column: pa.Array, pattern: str, group: Any = 0, options: str = "") -> pa.Array:
    """A group of the first match; '' where nothing matches."""
    if isinstance(group, str):
        group, options = 0, group
    if "l" in options:
        pattern, options = escaped(pattern), options.replace("l", "")
    named, count = named_groups(pattern)
    if group > count or group < 0:
        return _nothing(column)
    found = _run(pc.extract_regex, column, flagged(named, options))
    text = pc.struct_field(found, [f"g{group}"]).fill_null("")
    if not column.null_count:
        return text
    return pc.if_else(pc.is_valid(column), text, pa.scalar(None, text.type))


def _nothing(column: pa.Array) -> pa.Array:
    empty = pa.scalar("", column.type)
    return pc.if_else(pc.is_valid(column), empty, pa.scalar(None, column.type))


def _extract_all(text: str, pattern: str, group: int = 0) -> list[str]:
    try:
        return [m.group(group) or "" for m in re.finditer(pattern, text)]
    except (re.error, IndexError) as error:
        raise ComputeError(f"Bad regular expression {pattern!r}: {error}") from None


def _split(column: pa.Array, pattern: str, options: str = "") -> pa.Array:
    return _run(pc.split_pattern_regex, column, flagged(pattern, options))


def _split_rows(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """A NULL expression is found nowhere: the whole text is one part."""
    text, pattern, *options = args
    never = r"[^\s\S]"
    if is_array(pattern):
        pattern = pattern.fill_null(never)
    elif not pattern.is_valid:
        pattern = pa.scalar(never)
    return by_pattern(_split, (text, pattern, *options), result)


def _escape(text: str) -> str:
    return escaped(text)


KERNELS: dict[str, Kernel] = {
    "like": _kernel(match_like),
    "like_escape": _kernel(match_like),
    "ilike": _kernel(_ilike),
    "ilike_escape": _kernel(_ilike),
    "glob": _kernel(_glob),
    "regexp_matches": _kernel(regexp_matches),
    "regexp_full_match": _kernel(regexp_full_match),
    "regexp_replace": _kernel(regexp_replace),
    "regexp_extract": _kernel(regexp_extract),
    "string_split_regex": per_entry(_split_rows, null_matters=True),
    "regexp_extract_all": per_entry(lambda args, result: distinct_rows(_extract_all, args, result)),
    "regexp_escape": per_entry(lambda args, result: distinct_rows(_escape, args, result)),
}
