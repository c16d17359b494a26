"""Nothing runs before it is asked for; what is shown is computed from plans alone."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import plait
from plait import display
from plait.dataframe import DataFrame
from plait.frame import Frame
from plait.sources import pandas_frame
from tests.api.oracle import people


class NoRunner:
    """A runner that fails the test when it is used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"something was computed: {name}")


@pytest.fixture
def frame() -> DataFrame:
    runner: Any = NoRunner()
    return DataFrame(pandas_frame(people(), 3, runner))


def test_building_and_showing_runs_nothing(frame: DataFrame) -> None:
    frame["z"] = frame.x / frame.g
    frame = frame[frame.z > 1].assign(w=lambda d: d.s.str.upper())
    groups = frame.groupby(["k", frame.t.dt.year]).agg({"x": "sum", "y": ["mean", "max"]})
    joined = frame.merge(frame, on="k").sort_values("x_x").head(3)
    centred = frame.x - frame.x.mean()
    shown = [frame, groups, joined, centred, frame.x.sum(), frame.describe(), frame.groupby("k")]
    for value in shown:
        assert repr(value)
        assert "plait" in repr(value)
    for value in (frame, joined, centred):
        assert "<table" in value._repr_html_() or "<div" in value._repr_html_()
    assert list(frame.columns)[-1] == "w"
    assert len(frame.dtypes) == 10


def test_text_tells_columns_types_rows_and_plan(frame: DataFrame) -> None:
    text = repr(frame[frame.x > 2])
    assert "8 columns" in text
    assert "VARCHAR" in text
    assert "rows" in text
    assert "Filter (x > 2)" in text
    assert "12 rows" in repr(frame)


def test_html_is_escaped() -> None:
    data = pd.DataFrame({"<b>": ["<script>"], "a&b": [1]})
    runner: Any = NoRunner()
    made = DataFrame(pandas_frame(data, None, runner))
    page = made[made["<b>"] == "<i>"]._repr_html_() + made["<b>"]._repr_html_()
    assert "<b>plait" in page
    assert "&lt;b&gt;" in page
    assert "<script>" not in page
    assert "<i>" not in page
    assert "a&amp;b" in page


def test_many_columns_are_not_all_shown() -> None:
    data = pd.DataFrame({f"c{i}": [i] for i in range(100)})
    runner: Any = NoRunner()
    made = DataFrame(pandas_frame(data, None, runner))
    assert "100 columns in all" in repr(made)
    assert "100 columns in all" in made._repr_html_()
    assert len(repr(made).splitlines()) < 60


def test_estimates_are_rounded() -> None:
    lazy = plait.from_pandas(pd.DataFrame({"x": range(123_456)}))
    assert display.estimated_rows(lazy._frame.plan) == "123,456"
    filtered = lazy[lazy.x % 7 == 1]
    assert display.estimated_rows(filtered._frame.plan).startswith("about ")


@pytest.mark.parametrize("kind", ["frame", "series"])
def test_truth_value(frame: DataFrame, kind: str) -> None:
    value: Any = frame if kind == "frame" else frame.x
    with pytest.raises(TypeError, match="&"):
        bool(value)
    with pytest.raises(TypeError, match="truth value"):
        _ = frame[frame.x > 1 and frame.y > 1]


def test_wrong_names_are_key_errors_with_the_nearest(frame: DataFrame) -> None:
    data = frame.rename(columns={"x": "price"})
    for step in (
        lambda: data["prise"],
        lambda: data[["k", "prise"]],
        lambda: data.drop(columns="prise"),
        lambda: data.sort_values("prise"),
        lambda: data.groupby("prise"),
        lambda: data.set_index("prise"),
        lambda: data.drop_duplicates("prise"),
        lambda: data.query("prise > 1"),
        lambda: data.astype({"prise": int}),
        lambda: data.agg({"prise": "sum"}),
    ):
        with pytest.raises(KeyError, match="Did you mean 'price'"):
            step()
    with pytest.raises(AttributeError, match="Did you mean 'price'"):
        _ = data.prise
    with pytest.raises(AttributeError, match="Did you mean 'sort_values'"):
        data.sort_value("price")
    assert not hasattr(data, "iloc")
    assert not hasattr(data, "anything_else")


def test_a_new_column_is_not_made_by_an_attribute(frame: DataFrame) -> None:
    frame.x = frame.y
    with pytest.raises(AttributeError, match=r"df\['new'\]"):
        frame.new = frame.y


def test_steps_know_the_line_they_came_from(frame: DataFrame) -> None:
    filtered = frame[frame.x > 2]  # this line
    assert "test_laziness.py:" in str(filtered._frame.plan.origin)  # type: ignore[attr-defined]


def test_frame_is_a_value(frame: DataFrame) -> None:
    inner: Frame = frame._frame
    with pytest.raises(AttributeError):
        inner.plan = None  # type: ignore[misc,assignment]
