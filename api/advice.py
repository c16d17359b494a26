"""What to write instead: pandas' names that plait does not have, each with its way around."""

from __future__ import annotations

from collections.abc import Iterable

from plait.errors import UnsupportedError, nearest_names

_PANDAS = "compute first: .compute() gives a pandas object that has it"

ADVICE: dict[str, str] = {
    "iloc": "rows have no positions before they are computed; use head(n), tail(n) or sort_values",
    "iat": "use .compute().iat[...]",
    "at": "use a mask: df[df.key == value]",
    "iterrows": "express the step as column arithmetic, or iterate over .compute()",
    "itertuples": "express the step as column arithmetic, or iterate over .compute()",
    "items": "go through df.columns and take df[name]",
    "iteritems": "go through df.columns and take df[name]",
    "keys": "use df.columns",
    "values": "use .compute().values, or .to_arrow()",
    "array": "use .compute().array, or .to_arrow()",
    "T": "a lazy frame cannot be turned; " + _PANDAS,
    "transpose": "a lazy frame cannot be turned; " + _PANDAS,
    "append": "use plait.concat([a, b])",
    "insert": "use assign, then select the columns in the order you want",
    "pop": "take df[name], then df.drop(columns=name)",
    "applymap": "use map_partitions, or column arithmetic",
    "sample": "use df[condition], head(n), or df.compute().sample(...)",
    "pivot": "group by both keys, compute, then pivot the small result",
    "pivot_table": "group by both keys, compute, then unstack the small result",
    "unstack": "compute, then unstack the small result",
    "stack": _PANDAS,
    "melt": "plait.concat of one frame a column, or SQL's UNION ALL",
    "explode": _PANDAS,
    "get_dummies": "compare the column with each value: (df.c == 'x').astype(int)",
    "rolling": "use a SQL window: avg(x) over (order by t rows 6 preceding)",
    "expanding": "use cumsum, cummax, cummin, or a SQL window",
    "ewm": _PANDAS,
    "resample": "group by the truncated time: df.groupby(df.t.dt.floor('h'))",
    "interpolate": _PANDAS,
    "mode": "use value_counts().head(1)",
    "corr": "use SQL: plait.sql('select corr(x, y) from df')",
    "cov": "use SQL: plait.sql('select covar_samp(x, y) from df')",
    "cut": "use .case in SQL, or where/mask with the borders",
    "reindex": "merge with a frame of the wanted keys",
    "align": "merge on the keys",
    "update": "merge, then fillna",
    "compare": "merge on the keys, then compare columns",
    "asof": "compute first; as-of joins come later",
    "swaplevel": "reset_index, then set_index in the order you want",
    "droplevel": "reset_index, then drop the column",
    "stack_index": _PANDAS,
    "to_sql": "use .compute().to_sql(...)",
    "to_excel": "use .compute().to_excel(...)",
    "to_feather": "use .to_parquet(path)",
    "to_pickle": "use .to_parquet(path)",
    "to_string": "use .compute().to_string()",
    "to_markdown": "use .compute().to_markdown()",
    "to_dict": "use .compute().to_dict()",
    "to_numpy": "use .compute().to_numpy()",
    "info": "repr(df) shows columns and types",
    "plot": "compute first, then plot the small result",
    "hist": "compute first, then plot the small result",
    "squeeze": "take the column: df[name]",
    "set_axis": "use rename(columns={...})",
    "truncate": "use a mask on the index column",
    "between_time": "use a mask on .dt.hour",
    "at_time": "use a mask on .dt.hour and .dt.minute",
    "tz_localize": "use .dt on the column, or SQL's AT TIME ZONE",
    "tz_convert": "use .dt on the column, or SQL's AT TIME ZONE",
    "factorize": "use groupby(...).ngroup()",
    "searchsorted": _PANDAS,
    "argmax": "use idxmax()",
    "argmin": "use idxmin()",
    "argsort": "use sort_values",
    "item": "use .compute().item()",
    "autocorr": _PANDAS,
    "dot": _PANDAS,
    "cat": "categories come back in the result; on the way they are their values",
    "sparse": _PANDAS,
    "is_monotonic_increasing": _PANDAS,
    "is_monotonic_decreasing": _PANDAS,
    "swapaxes": _PANDAS,
    "xs": "use a mask on the key, after reset_index",
    "combine": "merge on the keys, then where/mask",
    "asfreq": _PANDAS,
    "filter": "choose columns by a list: df[[...]], rows by a mask",
    "memory_usage": "use .compute().memory_usage()",
    "style": "compute first",
    "get": "use df[name] if name in df.columns",
    "equals": "use .compute().equals(...)",
    "axes": "use df.index and df.columns",
    "loc": "use a mask: s[s > 0]; for a label of a result, s.compute().loc[label]",
    "idxmax": "sort and take the first: df.sort_values('x', ascending=False).drop_duplicates('k')",
    "idxmin": "sort and take the first: df.sort_values('x').drop_duplicates('k')",
    "hasnans": "use s.isna().any()",
    "corrwith": "use SQL: plait.sql('select corr(x, y) from df')",
    "transform": "use column arithmetic, or df.groupby(...).transform(name)",
    "divmod": "use a // b and a % b",
    "to_period": "use .dt.year and .dt.month, or SQL's date_trunc",
    "encode": _PANDAS,
    "decode": _PANDAS,
    "pipe_to": _PANDAS,
}


def unknown_attribute(kind: str, name: str, known: Iterable[str]) -> Exception:
    """The error for an attribute that does not exist, or that pandas has and plait has not."""
    if name.startswith("_"):  # asked by programs, again and again, not by people who mistype
        return AttributeError(f"{kind!r} object has no attribute {name!r}")
    if name in ADVICE:
        return UnsupportedAttributeError(f"{kind}.{name} is not done by plait; {ADVICE[name]}")
    near = nearest_names(name, [k for k in known if not str(k).startswith("_")])
    hint = f". Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return AttributeError(f"A plait {kind} has no attribute or column {name!r}{hint}")


class UnsupportedAttributeError(UnsupportedError, AttributeError):
    """A name that pandas has and plait has not; `hasattr` says no."""
