"""The compiled search finds what Python's `startswith` finds at every place."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from plait.engine.codegen.find import occurrences

FEW = st.binary(max_size=300).map(lambda data: bytes(97 + byte % 3 for byte in data))


@given(data=FEW, wanted=FEW.map(lambda data: data[:4]).filter(len))
@example(data=b"a" * 1000, wanted=b"a")  # more than there is room for at first
@example(data=b"ab" * 65, wanted=b"ba")
@example(data=b"ab", wanted=b"abc")
def test_occurrences(data: bytes, wanted: bytes) -> None:
    found = occurrences(np.frombuffer(data, np.uint8), wanted).tolist()
    assert found == [i for i in range(len(data)) if data[i:].startswith(wanted)]
