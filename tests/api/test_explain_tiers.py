"""explain(analyze=True): which tier ran a pipeline, and why."""

from __future__ import annotations

import pyarrow as pa
import pytest

import plait
from plait import config

ROWS = pa.table({"g": [1, 2, 1], "s": ["a", "b", "c"]})


@pytest.mark.parametrize(
    ("tier", "call", "note"),
    [
        ("compiled", "sum(g)", "(compiled)"),
        ("compiled", "max(length(s || 'x'))", "(cut: length((s || 'x')) has no compiled form; "),
        ("auto", "sum(g)", "(vectorised: fewer than 50,000 rows)"),
    ],
)
def test_pipelines_tell_their_tier(tier: str, call: str, note: str) -> None:
    with config.set(compile__tier=tier):
        frame = plait.sql(f"select g, {call} as v from rows group by g", {"rows": ROWS})
        assert note in frame.explain(analyze=True)


def test_without_loops_nothing_is_told() -> None:
    with config.set(compile__tier="vectorised"):
        frame = plait.sql("select g, sum(g) as v from rows group by g", {"rows": ROWS})
        told = frame.explain(analyze=True)
    assert "compiled" not in told
    assert "(vectorised" not in told


def test_the_tier_is_a_setting_of_the_session() -> None:
    table = pa.table({"a": range(100)})
    for tier, other in (("compiled", "vectorised"), ("vectorised", "compiled")):
        with (
            plait.Session(config={"compile.tier": tier}) as session,
            config.set({"compile.tier": other}),
        ):
            frame = session.sql("SELECT a % 7 AS k, sum(a) FROM t GROUP BY k", {"t": table})
            told = frame.explain(analyze=True)
        assert ("(compiled)" in told) == (tier == "compiled"), told
