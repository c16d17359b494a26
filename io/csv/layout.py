"""CsvLayout: all that is needed to parse a piece of CSV text, as a value carried by splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from plait.io.csv.rows import Marks
from plait.planner.schema import Schema

# what pandas takes for a missing value
PANDAS_NULLS = (
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "null",
)
TRUE_VALUES = ("True", "TRUE", "true")
FALSE_VALUES = ("False", "FALSE", "false")


@dataclass(frozen=True)
class Dialect:
    """How text is written. What pyarrow does not know (the second group) is left to pandas."""

    sep: str = ","
    quotechar: str | None = '"'
    escapechar: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"
    newline: str = "\n"  # what rows surely end with; "\r" in files of old Macs
    null_values: tuple[str, ...] = PANDAS_NULLS
    true_values: tuple[str, ...] = TRUE_VALUES
    false_values: tuple[str, ...] = FALSE_VALUES

    thousands: str | None = None
    comment: str | None = None
    skipinitialspace: bool = False
    skip_blank_lines: bool = True
    blanks: str = ""  # letters of which a line may consist and still count as blank
    doublequote: bool = True
    on_bad_lines: str = "error"
    column_nulls: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def needs_pandas(self) -> bool:
        """Whether an option is set that pyarrow's parser does not have."""
        return (
            len(self.sep) != 1
            or self.escapechar is not None
            or self.thousands is not None
            or self.comment is not None
            or self.skipinitialspace
            or not self.skip_blank_lines
            or not self.doublequote
            or self.on_bad_lines != "error"
            or bool(self.column_nulls)
        )

    @property
    def nan_is_null(self) -> bool:
        """Whether every spelling of NaN is a missing value, not only those in `null_values`."""
        return "nan" in self.null_values

    @property
    def divisible(self) -> bool:
        """Whether row borders can be found from the middle of a file."""
        return (
            len(self.sep) == 1
            and self.sep.isascii()
            and (self.quotechar or "").isascii()
            and self.doublequote
            and self.escapechar is None
            and self.comment is None
            and not self.skipinitialspace
        )

    @property
    def marks(self) -> Marks:
        """The bytes that make rows, for a separator of one letter."""
        return Marks.of(self.sep, self.quotechar, self.newline)

    @property
    def line_end(self) -> bytes:
        """What lines are counted by."""
        return self.newline.encode()


@dataclass(frozen=True)
class CsvLayout:
    """How to make columns of text.

    names       the columns as they follow each other in the file
    schema      the columns and types of all files
    dialect     how the text is written
    coded       string columns that are parsed into dictionary codes
    formats     timestamp columns that are not written as ISO 8601, with their strptime format
    declared    columns whose type the user gave (errors then do not speak of guesses)
    limit       the most rows wanted of a file; what follows them need not be well-formed
    """

    names: tuple[str, ...]
    schema: Schema
    dialect: Dialect
    coded: frozenset[str] = frozenset()
    formats: Mapping[str, str] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    limit: int | None = None

    def parsed_type(self, name: str) -> pa.DataType:
        """The type a column is parsed as, before what only we convert."""
        if name in self.formats:
            return pa.string()
        if name in self.coded:
            return pa.dictionary(pa.int32(), pa.string())
        return self.schema[name].type
