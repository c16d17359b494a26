"""Which sqlglot class is which function of the registry, and in what order its arguments go.

A row reads `class: "name arg arg ..."`; the arguments are keys of the sqlglot node, `*` spreads a
list of them. `~key` is a note of sqlglot's that changes nothing for us. A node with any other key
set is refused, so that no part of a call is ever dropped. Classes with one argument, `this`, need
no row when their SQL name is the registry's.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import expressions as exp

from plait.planner.functions import registry


@dataclass(frozen=True)
class Signature:
    """How a sqlglot node becomes a call: the function's name, its argument keys, ignored keys."""

    name: str
    keys: tuple[str, ...]
    mute: frozenset[str]


def _table(rows: dict[type[exp.Expr], str]) -> dict[type[exp.Expr], Signature]:
    found = {}
    for node, text in rows.items():
        name, *keys = text.split()
        shown = tuple(k for k in keys if not k.startswith("~"))
        found[node] = Signature(name, shown, frozenset(k[1:] for k in keys if k.startswith("~")))
    return found


OPERATORS: dict[type[exp.Expr], str] = {
    exp.Add: "add",
    exp.Sub: "subtract",
    exp.Mul: "multiply",
    exp.Mod: "modulo",
    exp.Pow: "power",
    exp.IntDiv: "floor_divide",
    exp.EQ: "equal",
    exp.NEQ: "not_equal",
    exp.LT: "less",
    exp.LTE: "less_equal",
    exp.GT: "greater",
    exp.GTE: "greater_equal",
    exp.NullSafeEQ: "is_not_distinct",
    exp.NullSafeNEQ: "is_distinct",
    exp.DPipe: "concat_operator",
    exp.SimilarTo: "regexp_full_match",
    exp.Glob: "glob",
    exp.BitwiseAnd: "bitwise_and",
    exp.BitwiseOr: "bitwise_or",
    exp.BitwiseLeftShift: "shift_left",
    exp.BitwiseRightShift: "shift_right",
}

COMPARISONS = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})

SCALARS = _table(
    {
        exp.Coalesce: "coalesce this *expressions ~is_nvl ~is_null",
        exp.Nullif: "nullif this expression",
        exp.Round: "round this decimals",
        exp.Trunc: "trunc this decimals ~fractions_supported",
        exp.Ceil: "ceil this",
        exp.Floor: "floor this",
        exp.Sign: "sign this",
        exp.Ln: "ln this",
        exp.Rand: "random",
        exp.Pi: "pi",
        exp.Atan2: "atan2 this expression",
        exp.IsNan: "isnan this",
        exp.IsInf: "isinf this",
        exp.Xor: "xor this expression",
        exp.BitwiseXor: "xor this expression",
        exp.BitwiseCount: "bit_count this",
        exp.Upper: "upper this",
        exp.Lower: "lower this",
        exp.Length: "length this",
        exp.Reverse: "reverse this",
        exp.Ascii: "ascii this",
        exp.Unicode: "unicode this ~empty_is_zero",
        exp.Chr: "chr *expressions ~charset",
        exp.Contains: "contains this expression",
        exp.StartsWith: "starts_with this expression",
        exp.EndsWith: "ends_with this expression",
        exp.Left: "left this expression",
        exp.Right: "right this expression",
        exp.Repeat: "repeat this times",
        exp.Replace: "replace this expression replacement",
        exp.SplitPart: "split_part this delimiter part_index",
        exp.Split: "string_split this expression ~empty_delimiter_returns_whole",
        exp.StrPosition: "strpos this substr",
        exp.Substring: "substring this start length",
        exp.Translate: "translate this from_ to",
        exp.Levenshtein: "levenshtein this expression",
        exp.Format: "format this *expressions",
        exp.MD5: "md5 this",
        exp.SHA: "sha1 this",
        exp.Hex: "hex this",
        exp.Unhex: "unhex this",
        exp.ToBase64: "to_base64 this",
        exp.FromBase64: "from_base64 this",
        exp.RegexpLike: "regexp_matches this expression flag",
        exp.RegexpFullMatch: "regexp_full_match this expression options",
        exp.Year: "year this",
        exp.Quarter: "quarter this",
        exp.Month: "month this",
        exp.Day: "day this",
        exp.DayOfMonth: "day this",
        exp.DayOfWeekIso: "isodow this",
        exp.DayOfYear: "dayofyear this",
        exp.Hour: "hour this",
        exp.Minute: "minute this",
        exp.Second: "second this",
        exp.YearOfWeekIso: "isoyear this",
        exp.Dayname: "dayname this",
        exp.Monthname: "monthname this",
        exp.LastDay: "last_day this",
        exp.DateFromParts: "make_date year month day",
        exp.CurrentDate: "current_date",
        exp.CurrentTimestamp: "now",
        exp.TimeToStr: "strftime this format",
        exp.StrToTime: "strptime this format",
        exp.TimeToUnix: "epoch this",
        exp.ToDays: "to_days this",
        exp.ArrayAppend: "list_append this expression ~null_propagation",
        exp.ArrayConcat: "list_concat this *expressions ~null_propagation",
        exp.ArrayContains: "list_contains this expression",
        exp.ArrayContainsAll: "list_has_all this expression",
        exp.ArrayMax: "list_max this",
        exp.ArrayMin: "list_min this",
        exp.ArrayOverlaps: "list_has_any this expression ~null_safe",
        exp.ArrayPrepend: "list_prepend expression this ~null_propagation",
        exp.ArrayReverse: "list_reverse this",
        exp.ArrayDistinct: "list_distinct this ~check_null",
        exp.ArrayPosition: "list_position this expression",
        exp.ArraySlice: "list_slice this start end",
        exp.ArrayToString: "array_to_string this expression",
        exp.JarowinklerSimilarity: "jaro_winkler_similarity this expression",
        exp.RegexpExtractAll: "regexp_extract_all this expression group",
        exp.RegexpSplit: "string_split_regex this expression",
        exp.TimeFromParts: "make_time hour min sec",
        exp.TimestampFromParts: "make_timestamp year month day hour min sec",
        exp.ArraySize: "array_length this",
        exp.StructExtract: "struct_extract this expression",
    }
)

AGGREGATES = _table(
    {
        exp.Count: "count this ~big_int",
        exp.CountIf: "count_if this",
        exp.Sum: "sum this",
        exp.Avg: "avg this",
        exp.Min: "min this",
        exp.Max: "max this",
        exp.First: "first this",
        exp.Last: "last this",
        exp.AnyValue: "any_value this",
        exp.ApproxDistinct: "approx_count_distinct this",
        exp.ArgMax: "arg_max this expression",
        exp.ArgMin: "arg_min this expression",
        exp.ArrayAgg: "array_agg this",
        exp.GroupConcat: "string_agg this separator",
        exp.BitwiseAndAgg: "bit_and this",
        exp.BitwiseOrAgg: "bit_or this",
        exp.BitwiseXorAgg: "bit_xor this",
        exp.Corr: "corr this expression",
        exp.CovarPop: "covar_pop this expression",
        exp.CovarSamp: "covar_samp this expression",
        exp.Kurtosis: "kurtosis this",
        exp.Skewness: "skewness this",
        exp.LogicalAnd: "bool_and this",
        exp.LogicalOr: "bool_or this",
        exp.Median: "median this",
        exp.Mode: "mode this",
        exp.PercentileCont: "quantile_cont this expression",
        exp.PercentileDisc: "quantile_disc this expression",
        exp.Quantile: "quantile_disc this quantile",
        exp.ApproxQuantile: "approx_quantile this quantile",
        exp.Stddev: "stddev this",
        exp.StddevSamp: "stddev this",
        exp.StddevPop: "stddev_pop this",
        exp.Variance: "variance this",
        exp.VariancePop: "var_pop this",
        exp.RegrAvgx: "regr_avgx this expression",
        exp.RegrAvgy: "regr_avgy this expression",
        exp.RegrCount: "regr_count this expression",
        exp.RegrIntercept: "regr_intercept this expression",
        exp.RegrR2: "regr_r2 this expression",
        exp.RegrSlope: "regr_slope this expression",
        exp.RegrSxx: "regr_sxx this expression",
        exp.RegrSxy: "regr_sxy this expression",
        exp.RegrSyy: "regr_syy this expression",
    }
)

WINDOWS = _table(
    {
        exp.RowNumber: "row_number",
        exp.Rank: "rank",
        exp.DenseRank: "dense_rank",
        exp.PercentRank: "percent_rank",
        exp.CumeDist: "cume_dist",
        exp.Ntile: "ntile this",
        exp.Lag: "lag this offset default",
        exp.Lead: "lead this offset default",
        exp.FirstValue: "first_value this",
        exp.LastValue: "last_value this",
        exp.NthValue: "nth_value this offset",
    }
)

# parts of a date or time by all the names DuckDB has for them
_PARTS = {
    "year": "year years y yr yrs",
    "month": "month months mon mons",
    "day": "day days d dayofmonth",
    "decade": "decade decades dec decs",
    "century": "century centuries cent c",
    "millennium": "millennium millennia mil millenium",
    "quarter": "quarter quarters",
    "week": "week weeks w weekofyear",
    "isoyear": "isoyear",
    "yearweek": "yearweek",
    "dayofweek": "dayofweek dow weekday",
    "isodow": "isodow",
    "dayofyear": "dayofyear doy",
    "hour": "hour hours h hr hrs",
    "minute": "minute minutes m min mins",
    "second": "second seconds s sec secs",
    "millisecond": "millisecond milliseconds ms msec msecs",
    "microsecond": "microsecond microseconds us usec usecs",
    "nanosecond": "nanosecond nanoseconds ns nsec nsecs",
    "epoch": "epoch",
    "era": "era",
}
PARTS = {alias: name for name, aliases in _PARTS.items() for alias in aliases.split()}


def unlisted(node: exp.Func) -> str | None:
    """The name of a function with the one argument `this` that has no row above."""
    if isinstance(node, exp.Anonymous):
        return node.name
    if {k for k, v in node.args.items() if v} - {"this"}:
        return None
    return next((n for n in map(str.lower, node.sql_names()) if _known(n)), None)


def _known(name: str) -> bool:
    return registry.is_scalar(name) or registry.is_aggregate(name) or registry.is_window(name)
