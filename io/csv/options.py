"""The options of read_csv as users write them, checked, as a value."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from plait.config import parse_bytes
from plait.errors import ColumnNotFoundError, PlanError, UnsupportedError, nearest_names
from plait.io.csv.layout import FALSE_VALUES, PANDAS_NULLS, TRUE_VALUES, Dialect
from plait.io.dtypes import arrow_type

BLOCKSIZE = 32 << 20

# options of pandas that say how it reads, not what: accepted, and without a meaning here
_HOW_PANDAS_READS = {"engine", "low_memory", "memory_map", "cache_dates", "float_precision"}

_INSTEAD = {
    "chunksize": "frames are lazy, and read in pieces of blocksize=... bytes",
    "iterator": "frames are lazy, and read in pieces of blocksize=... bytes",
    "skipfooter": "filter the last rows out, or pass on_bad_lines='skip'",
    "converters": "read as dtype={column: str} and convert with .str methods, astype or map",
    "lineterminator": "rows end with \\n, \\r\\n or \\r, which is found by itself",
    "dialect": "pass sep, quotechar, escapechar and so on",
    "dtype_backend": "see DataFrame.to_arrow for Arrow data",
    "encoding_errors": "pass the encoding the file is in: encoding='latin-1' takes every byte",
}


@dataclass(frozen=True, kw_only=True)
class CsvOptions:
    """Options with pandas' names and meanings; the rest:

    blocksize      bytes of text a split aims at ("32MB"); None: a file is one split
    skiprows       a number of lines at the start
    infer_dates    guess dates and times, and what else DuckDB guesses and pandas does not:
                   large integers are HUGEINT, 007 is text
    guess_header   tell by the types of columns whether there is a header; set by infer_dates where
                   `header` is 'infer' and there are no `names`
    on_bad_lines   error, or (by pandas) skip, warn
    sep            None: found by looking at the first lines
    """

    sep: str | None = ","
    header: int | str | None = "infer"
    names: Sequence[Hashable] | None = None
    usecols: Sequence[Hashable] | Callable[[str], bool] | None = None
    dtype: Any = None
    parse_dates: bool | Sequence[str] | None = None
    date_format: str | Mapping[str, str] | None = None
    dayfirst: bool = False
    na_values: Any = None
    keep_default_na: bool = True
    na_filter: bool = True
    true_values: Sequence[str] | None = None
    false_values: Sequence[str] | None = None
    quotechar: str | None = '"'
    quoting: int = 0
    doublequote: bool = True
    escapechar: str | None = None
    comment: str | None = None
    decimal: str = "."
    thousands: str | None = None
    skipinitialspace: bool = False
    skip_blank_lines: bool = True
    skiprows: int = 0
    nrows: int | None = None
    compression: str | None = "infer"
    encoding: str = "utf-8"
    on_bad_lines: str = "error"
    blocksize: int | str | None = BLOCKSIZE
    infer_dates: bool = False
    guess_header: bool = False

    @staticmethod
    def of(options: Mapping[str, Any]) -> CsvOptions:
        """Options by keyword; an unknown one is refused by name."""
        given = dict(options)
        if "delimiter" in given:
            delimiter = given.pop("delimiter")
            given["sep"] = delimiter if delimiter is not None else given.get("sep", ",")
        for name in _HOW_PANDAS_READS & set(given):
            del given[name]
        unknown = sorted(set(given) - set(CsvOptions.__dataclass_fields__))
        if unknown:
            instead = _INSTEAD.get(unknown[0])
            if instead is not None:
                raise UnsupportedError(f"read_csv has no option {unknown[0]!r}; {instead}")
            close = nearest_names(unknown[0], [*CsvOptions.__dataclass_fields__, "delimiter"])
            if close:
                meant = " or ".join(map(repr, close))
                raise UnsupportedError(f"read_csv has no option {unknown[0]!r}; is it {meant}?")
            raise UnsupportedError(
                f"read_csv has no option {unknown[0]!r}; read with pandas.read_csv and pass the "
                "frame to plait.from_pandas, or do it after reading"
            )
        if given.get("encoding", "") is None:
            del given["encoding"]
        return CsvOptions(**given).checked()

    def checked(self) -> CsvOptions:
        """The options with `header` and `blocksize` as numbers; raises for impossible ones."""
        if not isinstance(self.skiprows, int):
            raise UnsupportedError(
                "skiprows is a number of lines at the start; filter rows instead"
            )
        if self.nrows is not None and not (isinstance(self.nrows, int) and self.nrows >= 0):
            raise PlanError(f"nrows is a number of rows, not {self.nrows!r}")
        header = self.header
        guess_header = self.infer_dates and header == "infer" and self.names is None
        if header == "infer":
            header = 0 if self.names is None else None
        if not (header is None or (isinstance(header, int) and header >= 0)):
            raise UnsupportedError(f"header is a row number, None or 'infer', not {self.header!r}")
        if self.quoting not in (0, 1, 3):
            raise UnsupportedError("quoting is 0 (minimal), 1 (all) or 3 (none)")
        if self.on_bad_lines not in ("error", "skip", "warn"):
            raise UnsupportedError("on_bad_lines is 'error', 'skip' or 'warn'")
        for name in ("quotechar", "escapechar", "comment", "thousands", "decimal"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and len(value) == 1):
                raise PlanError(f"{name} is a single character, not {value!r}")
        try:
            encoding = codecs.lookup(self.encoding).name
        except LookupError:
            raise PlanError(f"Unknown encoding {self.encoding!r}") from None
        blocksize = self.blocksize
        if blocksize is not None:
            try:
                blocksize = max(1, parse_bytes(blocksize))
            except ValueError as error:
                raise PlanError(f"blocksize: {error}") from None
        return replace(
            self,
            header=header,
            guess_header=guess_header,
            blocksize=blocksize,
            encoding="utf-8" if encoding == "utf-8-sig" else encoding,
        )

    @property
    def header_row(self) -> int | None:
        """The number of the header's row, after `checked`."""
        return self.header if isinstance(self.header, int) else None

    @property
    def block_bytes(self) -> int | None:
        """The size of a block, after `checked`."""
        return self.blocksize if isinstance(self.blocksize, int) else None

    @property
    def column_names(self) -> tuple[str, ...] | None:
        """The names given, as strings."""
        return None if self.names is None else tuple(map(str, self.names))

    @property
    def labels(self) -> dict[str, Hashable]:
        """What pandas calls columns that have other names than texts."""
        if self.names is not None:
            return {str(n): n for n in self.names if not isinstance(n, str)}
        return {}

    def dialect(self, sep: str) -> Dialect:
        """How the text is written, with the separator found."""
        nulls = PANDAS_NULLS if self.keep_default_na else ()
        by_column: dict[str, tuple[str, ...]] = {}
        if isinstance(self.na_values, Mapping):
            by_column = {str(k): (*nulls, *_texts(v)) for k, v in self.na_values.items()}
        else:
            nulls = tuple(dict.fromkeys((*nulls, *_texts(self.na_values))))
        if not self.na_filter:
            nulls, by_column = (), {}
        return Dialect(
            sep=sep,
            quotechar=None if self.quoting == 3 else self.quotechar,
            escapechar=self.escapechar,
            decimal=self.decimal,
            encoding=self.encoding,
            null_values=nulls,
            true_values=(*TRUE_VALUES, *(self.true_values or ())),
            false_values=(*FALSE_VALUES, *(self.false_values or ())),
            thousands=self.thousands,
            comment=self.comment,
            skipinitialspace=self.skipinitialspace,
            skip_blank_lines=self.skip_blank_lines,
            blanks="" if self.infer_dates else " \t".replace(sep, ""),
            doublequote=self.doublequote,
            on_bad_lines=self.on_bad_lines,
            column_nulls=tuple(by_column.items()),
        )

    def declared_types(self, names: Sequence[str]) -> dict[str, pa.DataType]:
        """The types given for columns; a name without a column is refused."""
        if self.dtype is None:
            return {}
        if not isinstance(self.dtype, Mapping):
            found = arrow_type(self.dtype)
            return dict.fromkeys(names, found)
        return {
            require(_at(k, names), names, "dtype"): arrow_type(v) for k, v in self.dtype.items()
        }

    def date_columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The columns that parse_dates names."""
        if not self.parse_dates or self.parse_dates is True:
            return ()
        if isinstance(self.parse_dates, str | Mapping) or not all(
            isinstance(n, str | int) for n in self.parse_dates
        ):
            raise UnsupportedError(
                "parse_dates is True or a list of column names; join columns after reading"
            )
        return tuple(
            require(names[n] if isinstance(n, int) else n, names, "parse_dates")
            for n in self.parse_dates
        )

    def used_columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The columns that usecols leaves, in file order."""
        if self.usecols is None:
            return tuple(names)
        if callable(self.usecols):
            return tuple(n for n in names if self.usecols(n))
        wanted = set()
        for column in self.usecols:
            if isinstance(column, int) and not isinstance(column, bool):
                if not 0 <= column < len(names):
                    raise PlanError(f"usecols: there is no column {column}, only {len(names)}")
                wanted.add(names[column])
            else:
                wanted.add(require(str(column), names, "usecols"))
        return tuple(n for n in names if n in wanted)


def _at(key: Hashable, names: Sequence[str]) -> str:
    """The column that a name means, or else a position."""
    by_position = isinstance(key, int) and str(key) not in names and 0 <= key < len(names)
    return names[key] if by_position and isinstance(key, int) else str(key)


def require(name: str, names: Sequence[str], option: str) -> str:
    """The name, if it is a column's; an error with the near ones if not."""
    if name not in names:
        error = ColumnNotFoundError(name, names)
        error.args = (f"{option}: {error.args[0]}",)
        raise error
    return name


def _texts(values: Any) -> tuple[str, ...]:
    if values is None:
        return ()
    if isinstance(values, str | int | float):
        return (str(values),)
    if isinstance(values, Iterable):
        return tuple(str(v) for v in values)
    raise PlanError(f"na_values is a text, a list or a dict of these, not {values!r}")
