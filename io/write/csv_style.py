"""How CSV is written: a table's rows as text, quoted and escaped as a style says.

Every column becomes a column of texts, NULL included, and these are joined. A text is quoted where
a reader would otherwise take it for something else: it holds a separator, a quote or the end of a
line, or it is what NULL is written as.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.errors import ColumnNotFoundError, PlanError, WriteError
from plait.io.write.text_format import Formats, as_text, joined

_QUOTING = {
    "minimal": "minimal",
    "all": "all",
    "nonnumeric": "nonnumeric",
    "none": "none",
    csv.QUOTE_MINIMAL: "minimal",
    csv.QUOTE_ALL: "all",
    csv.QUOTE_NONNUMERIC: "nonnumeric",
    csv.QUOTE_NONE: "none",
}
_IN_NUMBERS = re.compile(r"[0-9a-zA-Z+.:\- ]")  # numbers, dates and booleans are made of these


@dataclass(frozen=True)
class CsvStyle:
    """The options of writing CSV, named as pandas' `to_csv` has them.

    `force_quote` are columns to be quoted always (True: all, as with quoting="all"). `date_format`
    is for dates, `timestamp_format` for timestamps.
    """

    sep: str = ","
    na_rep: str = ""
    header: bool | Sequence[str] = True
    quoting: str | int = "minimal"
    quotechar: str = '"'
    escapechar: str | None = None
    doublequote: bool = True
    force_quote: bool | str | Sequence[str] = ()
    lineterminator: str = "\n"
    encoding: str = "utf-8"
    date_format: str | None = None
    timestamp_format: str | None = None
    float_format: str | Callable[[float], str] | None = None
    decimal: str = "."

    def checked(self) -> Self:
        """The same, if it can be written and read again."""
        for name in ("sep", "quotechar", "escapechar", "decimal"):
            given = getattr(self, name)
            if given is None and name == "escapechar":
                continue
            if not isinstance(given, str) or len(given) != 1 or given in "\r\n":
                raise PlanError(f"{name} is a single character, not {given!r}")
        if self.sep in (self.quotechar, self.escapechar):
            raise PlanError(f"sep cannot be {self.sep!r}, which quotes or escapes")
        if self.quoting not in _QUOTING:
            known = "minimal, all, nonnumeric, none"
            raise PlanError(f"quoting is one of {known}, or of csv.QUOTE_*, not {self.quoting!r}")
        if not self.doublequote and self.escapechar is None:
            raise PlanError("doublequote=False needs an escapechar for quotes within a text")
        if self.lineterminator not in ("\n", "\r\n", "\r"):
            raise PlanError(f"lineterminator is \\n, \\r\\n or \\r, not {self.lineterminator!r}")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise PlanError(f"There is no encoding {self.encoding!r}") from None
        return replace(self, quoting=_QUOTING[self.quoting])

    @property
    def formats(self) -> Formats:
        """How values become texts."""
        return Formats(self.date_format, self.timestamp_format, self.float_format, self.decimal)


def header_line(names: Sequence[str], style: CsvStyle) -> str:
    """The header line; empty if there is to be none."""
    if style.header is False:
        return ""
    forced = _forced(names, style)
    quoted = [name in forced for name in names]
    if style.header is not True:
        given = list(style.header)
        if len(given) != len(names):
            raise PlanError(f"header has {len(given)} names for {len(names)} columns")
        names = given
    # names are texts, whatever the columns are
    texts = [_fields(pa.array([n]), style, q) for n, q in zip(names, quoted, strict=True)]
    found = [text[0].as_py() for text in texts]
    if style.quoting == "minimal" and len(names) > 1:
        # no name is no NULL
        found = [t if n or q else "" for t, n, q in zip(found, names, quoted, strict=True)]
    return style.sep.join(found) + style.lineterminator


def csv_rows(batch: pa.RecordBatch, style: CsvStyle) -> pa.Buffer:
    """The rows as text."""
    forced = _forced(batch.schema.names, style)
    alone = batch.num_columns == 1 and not style.na_rep
    # a line without anything in it is passed over by readers
    missing = style.na_rep
    if style.quoting in ("all", "nonnumeric") or (alone and style.quoting == "minimal"):
        missing = f"{style.quotechar}{missing}{style.quotechar}"
    columns = [
        pc.fill_null(_fields(column, style, name in forced), missing)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return joined(columns, style.sep, style.lineterminator)


def _forced(names: Sequence[str], style: CsvStyle) -> frozenset[str]:
    if style.force_quote is True or style.force_quote == "*":
        return frozenset(names)
    wanted = [style.force_quote] if isinstance(style.force_quote, str) else style.force_quote or ()
    by_name = {name.casefold(): name for name in names}
    for name in wanted:
        if name.casefold() not in by_name:
            raise ColumnNotFoundError(name, names)
    return frozenset(by_name[name.casefold()] for name in wanted)


def _fields(array: pa.Array, style: CsvStyle, forced: bool) -> pa.Array:
    if pat.is_dictionary(array.type):
        return _fields(array.dictionary, style, forced).take(array.indices)
    kind = array.type
    text = as_text(array, style.formats)
    number = pat.is_integer(kind) or pat.is_floating(kind) or pat.is_decimal(kind)
    if forced or style.quoting == "all" or (style.quoting == "nonnumeric" and not number):
        return _quoted(text, style)
    plain = not (pat.is_string(kind) or pat.is_nested(kind))
    odd = any(_IN_NUMBERS.match(c) for c in (style.sep, style.quotechar, style.escapechar or "~"))
    if plain and not odd and style.formats == Formats():
        return text
    special = "[" + re.escape(f"{style.sep}{style.quotechar}{style.escapechar or ''}") + "\r\n]"
    must = pc.match_substring_regex(text, special)
    if style.quoting == "none":
        return _escaped(text, must, style)
    if not plain:
        must = pc.or_(must, pc.is_in(text, pa.array(["", style.na_rep])))
    return pc.if_else(must, _quoted(text, style), text)


def _quoted(text: pa.Array, style: CsvStyle) -> pa.Array:
    quote, escape = style.quotechar, style.escapechar
    if escape is not None and escape != quote:
        text = pc.replace_substring(text, escape, escape * 2)
    doubled = quote * 2 if style.doublequote else f"{escape}{quote}"
    text = pc.replace_substring(text, quote, doubled)
    return pc.binary_join_element_wise(quote, text, quote, "")


def _escaped(text: pa.Array, must: pa.Array, style: CsvStyle) -> pa.Array:
    """Texts of a style without quotes."""
    if not pc.any(must).as_py():
        return text
    if style.escapechar is None:
        first: Any = text.filter(must)[0]
        raise WriteError(
            f"quoting='none' cannot write {first.as_py()!r}, which holds a separator, a quote or a "
            "newline; pass an escapechar, or allow quotes"
        )
    escape = style.escapechar
    for letter in dict.fromkeys((escape, style.sep, style.quotechar, "\r", "\n")):
        text = pc.replace_substring(text, letter, escape + letter)
    return text
