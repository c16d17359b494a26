"""Options of read_csv: what they are called."""

from __future__ import annotations

import pytest

from plait.errors import UnsupportedError
from plait.io.csv.options import CsvOptions


def test_a_misspelt_option_is_told_its_name() -> None:
    with pytest.raises(UnsupportedError, match="'thousand'; is it 'thousands'"):
        CsvOptions.of({"thousand": "."})


def test_an_option_of_pandas_alone_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"'memory_limit'; read with pandas.read_csv"):
        CsvOptions.of({"memory_limit": 1})
