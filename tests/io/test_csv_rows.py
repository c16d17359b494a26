"""Every row of a CSV text belongs to one piece of it, wherever it is cut."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ReadError
from plait.io.csv.rows import (
    Marks,
    Position,
    advance,
    as_bytes,
    extent,
    quote_map,
    row_end,
    row_pieces,
)
from plait.io.filesystem import expand, open_ranges

MARKS = Marks.of(",", '"')
TEXT = st.text(alphabet='ab,"\n', max_size=40).map(str.encode)


def rows_by_python(text: bytes) -> list[list[str]]:
    return [row for row in csv.reader(StringIO(text.decode(), newline="")) if row]


def states_letter_by_letter(text: bytes) -> list[bool]:
    """For each place whether a newline there would be inside quotes, by the plain state machine."""
    inside, field_start, after_quote = False, True, False
    found = []
    for letter in text.decode():
        found.append(inside)
        if inside:
            if letter == '"':
                inside, after_quote = False, True
            continue
        if letter == '"' and (field_start or after_quote):
            inside = True
        field_start = letter in ",\n"
        after_quote = False
    return [*found, inside]


@given(TEXT, st.integers(0, 40))
def test_state_is_that_of_the_letter_by_letter_machine(text: bytes, cut: int) -> None:
    states = states_letter_by_letter(text)
    cut = min(cut, len(text))
    halfway = advance(as_bytes(text[:cut]), Position(0), MARKS)
    assert halfway.inside == states[cut]
    assert advance(as_bytes(text[cut:]), halfway, MARKS).inside == states[len(text)]


@given(TEXT)
def test_row_ends_are_the_newlines_outside_quotes(text: bytes) -> None:
    states = states_letter_by_letter(text)
    expected = [i + 1 for i, byte in enumerate(text) if byte == 10 and not states[i]]
    at: Position | None = Position(0)
    found = []
    while at is not None:
        at = row_end(as_bytes(text[at.offset :]), at, MARKS)
        if at is not None:
            found.append(at.offset)
    assert found == expected


@given(TEXT, st.integers(1, 12))
def test_pieces_are_whole_rows(text: bytes, size: int) -> None:
    states = states_letter_by_letter(text)
    pieces = list(row_pieces(as_bytes(text), Position(0), MARKS, size))
    assert b"".join(text[start:stop] for start, stop, _ in pieces) == text
    for _, stop, after in pieces:
        assert stop == len(text) or (text[stop - 1] == 10 and not states[stop - 1])
        assert after.inside == states[stop]


FIELDS = st.text(alphabet='ab ,"\n\r', max_size=6)
TABLE = st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=8)


def written(rows: list[tuple[str, str]], terminator: str) -> bytes:
    out = StringIO(newline="")
    csv.writer(out, lineterminator=terminator).writerows(rows)
    return out.getvalue().encode()


def cuts(size: int, count: int) -> Iterator[tuple[int, int]]:
    borders = [size * i // count for i in range(count + 1)]
    return itertools.pairwise(borders)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows")


@settings(max_examples=40)
@given(rows=TABLE, terminator=st.sampled_from(["\n", "\r\n"]), final=st.booleans())
def test_two_pieces_cut_at_every_byte_hold_every_row_once(
    folder: Path, rows: list[tuple[str, str]], terminator: str, final: bool
) -> None:
    text = written(rows, terminator)
    if not final:
        text = text[: -len(terminator)]
    path = folder / "x.csv"
    path.write_bytes(text)
    (file,) = expand(path)
    quote_map.cache_clear()
    expected = rows_by_python(text)
    with open_ranges(file) as reader:
        for cut in range(len(text) + 1):
            found: list[list[str]] = []
            for start, stop in ((0, cut), (cut, len(text))):
                piece = extent(file, reader, start, stop, 0, MARKS)
                found += rows_by_python(text[piece.start : piece.end])
            assert found == expected


@settings(max_examples=60)
@given(rows=TABLE, count=st.integers(1, 30))
def test_many_pieces_hold_every_row_once(
    folder: Path, rows: list[tuple[str, str]], count: int
) -> None:
    text = b"head,er\n" + written(rows, "\n")
    path = folder / "y.csv"
    path.write_bytes(text)
    (file,) = expand(path)
    quote_map.cache_clear()
    with open_ranges(file) as reader:
        pieces = [extent(file, reader, a, b, 8, MARKS) for a, b in cuts(len(text), count)]
    filled = [p for p in pieces if p.start < p.end]
    assert b"".join(text[p.start : p.end] for p in filled) == text[8:]
    states = states_letter_by_letter(text)
    for p in filled:
        if p.cuts:
            assert (p.cuts[0], p.cuts[-1]) == (p.start, p.end)
        else:
            assert b'"' not in text[p.start : p.end]
        assert not any(states[cut] for cut in p.cuts)


def test_literal_quotes_within_fields_do_not_open_one(folder: Path) -> None:
    text = b'1,5" pipe\n2,"a\nb"\n3,6" pipe\n4,x\n' * 50
    path = folder / "pipes.csv"
    path.write_bytes(text)
    (file,) = expand(path)
    schema = {"column_names": ["n", "s"]}
    whole = pacsv.read_csv(pa.BufferReader(text), pacsv.ReadOptions(**schema))
    with open_ranges(file) as reader:
        for count in range(1, 60):
            rows = 0
            for start, stop in cuts(len(text), count):
                piece = extent(file, reader, start, stop, 0, MARKS)
                rows += len(rows_by_python(text[piece.start : piece.end]))
            assert rows == whole.num_rows == 200


def test_field_longer_than_a_large_piece_is_refused(folder: Path) -> None:
    # the middle piece has no quote of its own, so it cannot know that it lies within one
    inner = b"1,2\n" * (1 << 20)
    text = b'a,b\n3,"' + inner + b'"\n5,6\n'
    path = folder / "long.csv"
    path.write_bytes(text)
    (file,) = expand(path)
    third = len(text) // 3
    with open_ranges(file) as reader, pytest.raises(ReadError, match="blocksize=None"):
        extent(file, reader, 0, third, 0, MARKS)


def test_rows_longer_than_small_pieces_are_fine(folder: Path) -> None:
    text = b'1,"' + b"x\n" * 300 + b'"\n2,y\n'
    path = folder / "small.csv"
    path.write_bytes(text)
    (file,) = expand(path)
    with open_ranges(file) as reader:
        pieces = [extent(file, reader, a, b, 0, MARKS) for a, b in cuts(len(text), 60)]
    assert b"".join(text[p.start : p.end] for p in pieces) == text
