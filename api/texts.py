""".str of a Series: text functions, with pandas' names and meanings.

Positions count from 0 as in Python. Tests on a missing text are False, everything else of a missing
value is missing. Regular expressions are RE2's: no look-around and no back-references.
Numbers (`.str.len()`) are int64.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait import expressions as ex
from plait.advice import unknown_attribute
from plait.errors import PlanError, UnsupportedError
from plait.operands import is_series, over
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import FALSE, Expr, Literal

if TYPE_CHECKING:
    from plait.series import Series

Call = builder.call
_ = builder.literal


class StringAccessor:
    """Text functions of a Series."""

    def __init__(self, series: Series) -> None:
        kind = series._expr.dtype
        if pat.is_list(kind):
            self._list = True
        elif t.is_string(kind) or kind == t.NULL:
            self._list = False
        else:
            raise AttributeError(f".str needs texts, not {t.sql_name(kind)}; use astype(str) first")
        self._series = series
        self._expr: Expr = (
            builder.coerce(series._expr, t.STRING) if kind == t.NULL else series._expr
        )

    def _new(self, expr: Expr) -> Series:
        return self._series._new(expr)

    def _call(self, function: str, *args: Any) -> Series:
        return self._new(Call(function, self._expr, *(_(a) for a in args)))

    def _test(self, expr: Expr, na: Any = None) -> Series:
        if na is not None and not ex.is_missing(na):
            return self._new(builder.call("coalesce", expr, _(bool(na))))
        return self._new(ex.two_valued(self._series._frame.plan, expr))

    def __getattr__(self, name: str) -> NoReturn:
        raise unknown_attribute("Series.str", name, dir(type(self)))

    def upper(self) -> Series:
        """In capital letters."""
        return self._call("upper")

    def lower(self) -> Series:
        """In small letters."""
        return self._call("lower")

    casefold = lower

    def capitalize(self) -> Series:
        """The first letter capital, the others small."""
        return self._call("pandas_words", "capitalize")

    def title(self) -> Series:
        """The first letter of each word capital."""
        return self._call("pandas_words", "title")

    def swapcase(self) -> Series:
        """Capital letters small and small ones capital."""
        return self._call("pandas_words", "swapcase")

    def len(self) -> Series:
        """How many characters (or list elements)."""
        return self._call("length")

    def strip(self, to_strip: str | None = None) -> Series:
        """Without white space (or characters of a set) at both ends."""
        return self._call("pandas_strip", to_strip or "", "both")

    def lstrip(self, to_strip: str | None = None) -> Series:
        """Without white space (or characters of a set) at the start."""
        return self._call("pandas_strip", to_strip or "", "left")

    def rstrip(self, to_strip: str | None = None) -> Series:
        """Without white space (or characters of a set) at the end."""
        return self._call("pandas_strip", to_strip or "", "right")

    def startswith(self, pat: str | tuple[str, ...], na: Any = None) -> Series:
        """Whether the text starts with another (or any of several)."""
        return self._any("starts_with", "{}%", pat, na)

    def endswith(self, pat: str | tuple[str, ...], na: Any = None) -> Series:
        """Whether the text ends with another (or any of several)."""
        return self._any("ends_with", "%{}", pat, na)

    def _any(self, function: str, like: str, pat: str | tuple[str, ...], na: Any) -> Series:
        made: Expr | None = None
        for one in pat if isinstance(pat, tuple) else (pat,):
            test = self._like(function, like, one)
            made = test if made is None else Call("or", made, test)
        return self._test(FALSE if made is None else made, na)

    def _like(self, function: str, like: str, text: str) -> Expr:
        """The test as SQL's users write it, so that both make one plan; wildcards are none here."""
        if text and not set(text) & set("%_\\"):
            return Call("like", self._expr, _(like.format(text)))
        return Call(function, self._expr, _(text))

    def contains(
        self, pat: str, case: bool = True, flags: int = 0, na: Any = None, regex: bool = True
    ) -> Series:
        """Whether the text contains another, or a match of a regular expression."""
        plainly = case and not flags and (not regex or re.escape(pat) == pat)
        if plainly:
            return self._test(self._like("contains", "%{}%", pat), na)
        text = _pattern(pat if regex else re.escape(pat), case, flags)
        return self._test(Call("regexp_matches", self._expr, _(text)), na)

    def match(self, pat: str, case: bool = True, flags: int = 0, na: Any = None) -> Series:
        """Whether a regular expression matches at the start."""
        text = _pattern(f"^(?:{pat})", case, flags)
        return self._test(Call("regexp_matches", self._expr, _(text)), na)

    def fullmatch(self, pat: str, case: bool = True, flags: int = 0, na: Any = None) -> Series:
        """Whether a regular expression matches the whole text."""
        text = _pattern(f"^(?:{pat})\\Z", case, flags)
        return self._test(Call("regexp_matches", self._expr, _(text)), na)

    def replace(
        self,
        pat: str,
        repl: str,
        n: int = -1,
        case: bool | None = None,
        flags: int = 0,
        regex: bool = False,
    ) -> Series:
        """A text (or the matches of a regular expression) replaced."""
        if callable(repl) or not isinstance(pat, str):
            raise UnsupportedError("str.replace takes texts; use map with a function and dtype=str")
        if n not in (-1, 1):
            raise UnsupportedError("str.replace(n=) is -1 (all) or 1 (the first)")
        if not regex and n == -1 and case is not False:
            return self._new(Call("replace", self._expr, _(pat), _(repl)))
        text = _pattern(pat if regex else re.escape(pat), case is not False, flags)
        if not regex:
            repl = repl.replace("\\", "\\\\")
        return self._call("regexp_replace", text, repl, "" if n == 1 else "g")

    def removeprefix(self, prefix: str) -> Series:
        """Without a text at the start."""
        cut = Call("pandas_slice", self._expr, _(len(prefix)), _(_FAR), _(1))
        return self._new(ex.choose(Call("starts_with", self._expr, _(prefix)), cut, self._expr))

    def removesuffix(self, suffix: str) -> Series:
        """Without a text at the end."""
        if not suffix:
            return self._new(self._expr)
        cut = Call("pandas_slice", self._expr, _(0), _(-len(suffix)), _(1))
        return self._new(ex.choose(Call("ends_with", self._expr, _(suffix)), cut, self._expr))

    def slice(self, start: Any = None, stop: Any = None, step: Any = None) -> Series:
        """The characters from start to stop, as Python slices."""
        step = 1 if step is None else step
        if step == 0:
            raise PlanError("A slice cannot have step 0")
        ends = (0, _FAR) if step > 0 else (_FAR, -_FAR - 1)
        start = ends[0] if start is None else start
        stop = ends[1] if stop is None else stop
        if step == 1 and 0 <= start <= stop:  # as SQL's users write it
            if stop == _FAR:
                return self._call("substring", start + 1)
            return self._call("substring", start + 1, stop - start)
        return self._call("pandas_slice", start, stop, step)

    def __getitem__(self, key: Any) -> Series:
        if isinstance(key, slice):
            return self.slice(key.start, key.stop, key.step)
        return self.get(key)

    def get(self, i: int) -> Series:
        """The i-th character (or list element); missing if there is none."""
        if self._list:
            position = i + 1 if i >= 0 else i
            return self._new(Call("list_extract", self._expr, _(position)))
        stop = i + 1 if i != -1 else _FAR
        one = Call("pandas_slice", self._expr, _(i), _(stop), _(1))
        empty = Call("equal", one, _(""))
        return self._new(ex.choose(empty, Literal(None, t.STRING), one))

    def split(self, pat: str | None = None, n: int = -1, expand: bool = False) -> Series:
        """The parts between separators, as lists; take one by .str[0] or .str.get(0)."""
        if expand:
            raise UnsupportedError(
                "str.split(expand=True) makes as many columns as the data needs; take parts by "
                "number: s.str.split('-').str[0]"
            )
        if n not in (-1, 0):
            raise UnsupportedError("str.split(n=) is not done; use .str.extract with a pattern")
        if pat is None:
            stripped = Call("pandas_strip", self._expr, _(""), _("both"))
            parts = Call("string_split_regex", stripped, _(r"\s+"))
            nothing = Literal((), parts.dtype)
            return self._new(ex.choose(Call("equal", stripped, _("")), nothing, parts))
        return self._call("string_split", pat)

    def cat(self, others: Any = None, sep: str = "") -> Series:
        """The text joined with that of another Series."""
        if not is_series(others):
            raise UnsupportedError("str.cat joins with another Series: s.str.cat(t, sep=' ')")
        frame, (own, other) = over(self._series._frame, self._series, others)
        joined = Call("concat_operator", Call("concat_operator", own, _(sep)), other)
        return type(self._series)(frame, joined, self._series._label)

    def repeat(self, repeats: int) -> Series:
        """The text so many times."""
        return self._call("repeat", repeats)

    def pad(self, width: int, side: str = "left", fillchar: str = " ") -> Series:
        """Filled up to a width."""
        if side not in ("left", "right", "both"):
            raise PlanError("side is 'left', 'right' or 'both'")
        return self._call("pandas_pad", width, side, fillchar)

    def ljust(self, width: int, fillchar: str = " ") -> Series:
        """Filled up on the right."""
        return self._call("pandas_pad", width, "right", fillchar)

    def rjust(self, width: int, fillchar: str = " ") -> Series:
        """Filled up on the left."""
        return self._call("pandas_pad", width, "left", fillchar)

    def center(self, width: int, fillchar: str = " ") -> Series:
        """Filled up on both sides."""
        return self._call("pandas_pad", width, "both", fillchar)

    def zfill(self, width: int) -> Series:
        """Filled up with zeros, after a sign."""
        return self._call("pandas_pad", width, "zero", "0")

    def find(self, sub: str) -> Series:
        """The position of a text; -1 if it is not there."""
        return self._call("pandas_find", sub)

    def count(self, pat: str) -> Series:
        """How many matches of a regular expression."""
        text = _pattern(pat, True, 0)
        return self._new(Call("length", Call("regexp_extract_all", self._expr, _(text))))

    def extract(self, pat: str, flags: int = 0, expand: bool = False) -> Series:
        """The group of a regular expression (of one group); missing if it does not match."""
        groups = re.compile(pat).groups
        if groups != 1 or expand:
            raise UnsupportedError(
                "str.extract takes a pattern of one group, and expand=False; call it once a group"
            )
        text = _pattern(pat, True, flags)
        found = Call("regexp_extract", self._expr, _(text), _(1))
        matches = Call("regexp_matches", self._expr, _(text))
        return self._new(ex.choose(matches, found, Literal(None, t.STRING)))

    def _is(self, kind: str) -> Series:
        return self._test(Call("pandas_is", self._expr, _(kind)))

    def isalpha(self) -> Series:
        """Whether all characters are letters."""
        return self._is("alpha")

    def isdigit(self) -> Series:
        """Whether all characters are digits."""
        return self._is("digit")

    def isnumeric(self) -> Series:
        """Whether all characters are numeric."""
        return self._is("numeric")

    def isdecimal(self) -> Series:
        """Whether all characters are decimal digits."""
        return self._is("decimal")

    def isalnum(self) -> Series:
        """Whether all characters are letters or digits."""
        return self._is("alnum")

    def isspace(self) -> Series:
        """Whether all characters are white space."""
        return self._is("space")

    def isupper(self) -> Series:
        """Whether all letters are capital."""
        return self._is("upper")

    def islower(self) -> Series:
        """Whether all letters are small."""
        return self._is("lower")

    def istitle(self) -> Series:
        """Whether each word starts with a capital."""
        return self._is("title")


_FAR = 2**31 - 1


# Python's classes are of all of Unicode, RE2's of ASCII only
_CLASSES = {"w": r"\p{L}\p{N}_", "d": r"\p{Nd}", "s": r"\s\p{Z}"}


def _pattern(pat: str, case: bool, flags: int) -> str:
    """A regular expression as RE2 writes it; UnsupportedError for what it cannot do."""
    letters = "i" if not case or flags & re.IGNORECASE else ""
    letters += "m" if flags & re.MULTILINE else ""
    letters += "s" if flags & re.DOTALL else ""
    if flags & ~(re.IGNORECASE | re.MULTILINE | re.DOTALL | re.UNICODE):
        raise UnsupportedError("Of re's flags IGNORECASE, MULTILINE and DOTALL are done")
    try:
        re.compile(pat)
    except re.error as error:
        raise PlanError(f"{pat!r} is no regular expression: {error}") from None
    text = _translated(pat)
    text = f"(?{letters}){text}" if letters else text
    try:
        pc.match_substring_regex(pa.array([""]), text)
    except pa.ArrowInvalid as error:
        raise UnsupportedError(
            f"{pat!r}: look-around, back-references and possessive repeats are not done "
            f"({error}); use map with a function and dtype="
        ) from None
    return text


def _translated(pat: str) -> str:
    made: list[str] = []
    i, inside = 0, False
    while i < len(pat):
        c = pat[i]
        if c == "\\" and i + 1 < len(pat):
            made.append(_escaped(pat[i + 1], inside))
            i += 2
            continue
        if c == "[" and not inside:
            inside = True
            # a ] right at the start of a class stands for itself
            rest = re.match(r"\[\^?\]?", pat[i:])
            assert rest is not None
            made.append(rest[0])
            i += len(rest[0])
            continue
        if c == "]":
            inside = False
        made.append(c)
        i += 1
    return "".join(made)


def _escaped(letter: str, inside: bool) -> str:
    if letter in _CLASSES:
        return _CLASSES[letter] if inside else f"[{_CLASSES[letter]}]"
    if letter.lower() in _CLASSES and not inside:
        return f"[^{_CLASSES[letter.lower()]}]"
    return r"\z" if letter == "Z" else f"\\{letter}"
