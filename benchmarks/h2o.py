"""H2O.ai's db-benchmark in memory: ten questions of grouping, five of joining.

    python -m benchmarks.h2o --json data/bench/h2o.json
    python -m benchmarks.h2o --task groupby --rows 1e6 --only plait duckdb
    python -m benchmarks.h2o --operators

As there, tables are loaded once, and the time is that from the question to an answer in the
contestant's own form: a table of DuckDB, a DataFrame of Polars, a persisted frame of plait. Columns
of few texts are enums in DuckDB and categories in Polars, as its scripts have them. plait and
DuckDB are asked in SQL; only "the two largest of each group" is written for each as it is fastest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import operators
from benchmarks.figures import finish
from benchmarks.h2o_data import Shape, groupby_folder, join_folder
from benchmarks.race import (
    Answer,
    Contestant,
    Settings,
    add_arguments,
    answers,
    chosen,
    plait_settings,
    race,
)

GROUPBY = {
    "g1": "select id1, sum(v1) as v1 from x group by id1",
    "g2": "select id1, id2, sum(v1) as v1 from x group by id1, id2",
    "g3": "select id3, sum(v1) as v1, avg(v3) as v3 from x group by id3",
    "g4": "select id4, avg(v1) as v1, avg(v2) as v2, avg(v3) as v3 from x group by id4",
    "g5": "select id6, sum(v1) as v1, sum(v2) as v2, sum(v3) as v3 from x group by id6",
    "g6": """select id4, id5, quantile_cont(v3, 0.5) as median_v3, stddev(v3) as sd_v3
             from x group by id4, id5""",
    "g7": "select id3, max(v1) - min(v2) as range_v1_v2 from x group by id3",
    "g8": """select id6, v3 as largest2_v3
             from (select id6, v3, row_number() over (partition by id6 order by v3 desc) as place
                   from x where v3 is not null) as numbered
             where place <= 2""",
    "g9": "select id2, id4, pow(corr(v1, v2), 2) as r2 from x group by id2, id4",
    "g10": """select id1, id2, id3, id4, id5, id6, sum(v3) as v3, count(*) as count
              from x group by id1, id2, id3, id4, id5, id6""",
}
JOIN = {
    "j1": "select x.*, small.id4 as small_id4, v2 from x join small using (id1)",
    "j2": """select x.*, medium.id1 as medium_id1, medium.id4 as medium_id4,
                    medium.id5 as medium_id5, v2
             from x join medium using (id2)""",
    "j3": """select x.*, medium.id1 as medium_id1, medium.id4 as medium_id4,
                    medium.id5 as medium_id5, v2
             from x left join medium using (id2)""",
    "j4": """select x.*, medium.id1 as medium_id1, medium.id2 as medium_id2,
                    medium.id4 as medium_id4, v2
             from x join medium using (id5)""",
    "j5": """select x.*, big.id1 as big_id1, big.id2 as big_id2, big.id4 as big_id4,
                    big.id5 as big_id5, big.id6 as big_id6, v2
             from x join big using (id3)""",
}
QUESTIONS = GROUPBY | JOIN
DUCKDB_QUESTIONS = QUESTIONS | {
    "g8": """select id6, unnest(max(v3, 2)) as largest2_v3
             from x where v3 is not null group by id6"""
}

# As DuckDB's script declares them; what is not here is the type that the file has.
ENUMS = {"groupby": ("id1", "id2"), "join": ("id4", "id5")}
CATEGORIES = {"groupby": ("id1", "id2", "id3"), "join": ("id4", "id5", "id6")}


def plait_tables(settings: Settings) -> dict[str, Any]:
    """plait's persisted frames, by name."""
    import plait  # in the contestant's own process only, here and below

    folder = Path(settings["folder"])
    return {p.stem: plait.read_parquet(str(p)).persist() for p in folder.glob("*.parquet")}


def open_plait(settings: Settings) -> Answer:
    import plait

    tables = plait_tables(settings)

    def answer(job: str) -> Callable[[], pa.Table]:
        frame = plait.sql(QUESTIONS[job], tables=tables).persist()
        return lambda: nan_as_null(frame.to_arrow())

    return answer


def open_operators(settings: Settings) -> Answer:
    import plait

    tables = plait_tables(settings)
    return lambda job: operators.measured(plait.sql(QUESTIONS[job], tables=tables))


def open_duckdb(settings: Settings) -> Answer:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {settings['threads']}")
    connection.execute("set enable_progress_bar = false")
    # else DuckDB keeps the order of x, which nobody else is asked for
    connection.execute("set preserve_insertion_order = false")
    files = {p.stem: str(p) for p in Path(settings["folder"]).glob("*.parquet")}
    enums = ENUMS[settings["task"]]
    for name in enums:
        texts = " union ".join(
            f"select {name} from '{path}'"
            for path in files.values()
            if name in _columns(connection, path)
        )
        order = f"select {name} from ({texts}) where {name} is not null order by {name}"
        connection.execute(f"create type {name}_enum as enum ({order})")
    for table, path in files.items():
        casts = [f"{n}::{n}_enum as {n}" for n in enums if n in _columns(connection, path)]
        replaced = f" replace ({', '.join(casts)})" if casts else ""
        connection.execute(f"create table {table} as select *{replaced} from '{path}'")

    def answer(job: str) -> Callable[[], pa.Table]:
        connection.execute(f"create or replace temp table answer as {DUCKDB_QUESTIONS[job]}")
        return lambda: nan_as_null(connection.table("answer").to_arrow_table())

    return answer


def _columns(connection: Any, path: str) -> list[str]:
    return list(connection.sql(f"from '{path}' limit 0").columns)


def open_polars(settings: Settings) -> Answer:
    import polars as pl

    categories = CATEGORIES[settings["task"]]
    tables = {}
    for path in Path(settings["folder"]).glob("*.parquet"):
        frame = pl.read_parquet(path)
        texts = [name for name in categories if name in frame.columns]
        tables[path.stem] = frame.with_columns(pl.col(texts).cast(pl.Categorical)).lazy()
    ask = polars_grouped if settings["task"] == "groupby" else polars_joined

    def answer(job: str) -> Callable[[], pa.Table]:
        frame = ask(job, tables).collect(engine=settings["polars_engine"])
        return lambda: nan_as_null(frame.to_arrow())

    return answer


def nan_as_null(answer: pa.Table) -> pa.Table:
    """As plait's frames have it: the correlation with a constant, in groups of few rows."""
    for number, field in enumerate(answer.schema):
        if pa.types.is_floating(field.type):
            column = answer.column(number)
            column = pc.if_else(pc.is_nan(column), None, column)
            answer = answer.set_column(number, field.name, column)
    return answer


def polars_grouped(job: str, tables: dict[str, Any]) -> Any:
    """A grouping question as a lazy frame."""
    import polars as pl

    x = tables["x"]
    v1, v2, v3 = pl.col("v1"), pl.col("v2"), pl.col("v3")
    match job:
        case "g1":
            return x.group_by("id1").agg(v1.sum())
        case "g2":
            return x.group_by("id1", "id2").agg(v1.sum())
        case "g3":
            return x.group_by("id3").agg(v1.sum(), v3.mean())
        case "g4":
            return x.group_by("id4").agg(v1.mean(), v2.mean(), v3.mean())
        case "g5":
            return x.group_by("id6").agg(v1.sum(), v2.sum(), v3.sum())
        case "g6":
            both = v3.median().alias("median_v3"), v3.std().alias("sd_v3")
            return x.group_by("id4", "id5").agg(*both)
        case "g7":
            return x.group_by("id3").agg((v1.max() - v2.min()).alias("range_v1_v2"))
        case "g8":
            return x.drop_nulls("v3").group_by("id6").agg(v3.top_k(2)).explode("v3")
        case "g9":
            r2 = pl.corr("v1", "v2", method="pearson") ** 2
            return x.group_by("id2", "id4").agg(r2.alias("r2"))
        case _:
            keys = [f"id{n}" for n in range(1, 7)]
            return x.group_by(keys).agg(v3.sum(), pl.len().alias("count"))


def polars_joined(job: str, tables: dict[str, Any]) -> Any:
    """A joining question as a lazy frame."""
    x = tables["x"]
    match job:
        case "j1":
            return x.join(tables["small"], on="id1")
        case "j2":
            return x.join(tables["medium"], on="id2")
        case "j3":
            return x.join(tables["medium"], on="id2", how="left")
        case "j4":
            return x.join(tables["medium"], on="id5")
        case _:
            return x.join(tables["big"], on="id3")


CONTESTANTS = (
    Contestant("duckdb", open_duckdb),
    Contestant("plait", open_plait),
    Contestant("polars", open_polars),
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="race H2O.ai's db-benchmark")
    parser.add_argument("--task", choices=["groupby", "join", "both"], default="both")
    parser.add_argument("--rows", type=float, default=1e7)
    parser.add_argument("--groups", type=float, default=100, help="of the large groups")
    parser.add_argument("--nulls", type=int, default=0, help="percent")
    parser.add_argument("--sorted", action="store_true", help="rows by their keys")
    parser.add_argument("--questions", nargs="*", default=list(QUESTIONS), choices=list(QUESTIONS))
    parser.add_argument("--polars-engine", choices=["in-memory", "streaming"], default="streaming")
    parser.add_argument("--operators", action="store_true", help="no race: where plait's time goes")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    shape = Shape(int(options.rows), int(options.groups), options.nulls, options.sorted)
    root = Path(__file__).resolve().parents[1] / "data"
    settings: dict[str, Any] = {
        "rows": shape.rows,
        "groups": shape.groups,
        "nulls": shape.nulls,
        "threads": options.threads,
        "polars_engine": options.polars_engine,
        "plait": plait_settings(options.plait_config),
        "keep": True,
    }
    results = {}
    for task, questions, folder in (
        ("groupby", GROUPBY, groupby_folder),
        ("join", JOIN, join_folder),
    ):
        jobs = [job for job in options.questions if job in questions]
        if options.task not in (task, "both") or not jobs:
            continue
        given = {**settings, "task": task, "folder": str(folder(shape, root))}
        if options.operators:
            profiled = Contestant("plait", open_operators)
            for job, answer in answers(jobs, profiled, given, options.timeout):
                print(operators.line(job, operators.seconds_by_operator(answer)), flush=True)
            continue
        results |= race(
            jobs,
            chosen(CONTESTANTS, options.only),
            given,
            rounds=options.rounds,
            timeout=options.timeout,
            absolute=1e-12,  # a correlation near zero is what is left of larger numbers
        )
    return finish("h2o", settings, results, options.json) if results else 0


if __name__ == "__main__":
    sys.exit(main())
