"""Names and types of result columns, query by query, are those DuckDB's DESCRIBE gives."""

from __future__ import annotations

import duckdb
import pytest

from plait.planner.catalog import MemoryCatalog
from plait.planner.sql.select import unique_names
from plait.planner.sql.statements import bind_query_text
from plait.planner.types import sql_name
from tests.sql.tables import in_catalog, in_duckdb

QUERIES = r"""
select a+1, a-b*2, -a from t
select sum(a), avg(a), min(d), max(c), count(a), count(*), count() from t
select count(distinct a), sum(distinct a), sum(a) filter (where b>1), count(*) filter (where a > 1) from t
select string_agg(c, ',' order by a desc nulls first), group_concat(c, ';'), list(a), array_agg(a order by b) from t
select arg_max(a,b), max_by(a,b), bool_and(bo), any_value(a), stddev(a), var_pop(a), approx_count_distinct(a) from t
select mode(a), median(a), corr(a,b), kurtosis(a), quantile_cont(a, 0.5), first(a order by b) from t
select percentile_cont(0.5) within group (order by a) from t
select cast(a as varchar), a::bigint, try_cast(c as integer), cast(a as decimal(10,2)), date '2020-01-01' from t
select a::int::varchar, (a::int)+1, a::double, a::real, c::timestamp, a::text, a::hugeint, a::decimal from t
select interval 3 month, interval '1' day, interval '1 year 2 months', interval (a) day, to_days(3) from t
select case when a>1 then 2 else 3 end, case a when 1 then 'x' end from t
select case when a = 1 then 'x' when b = 2 then 'y' else 'z' end as q, case a when 1 then 2 when 3 then 4 else 5 end from t
select case when true then 1 else 2.5 end, case when true then f else g end from t
select case when true then 1 else '2' end, case when true then d else '2020-01-01' end from t
select coalesce(a,1), ifnull(a,1), nullif(a,1), if(a>1,2,3), coalesce(null, 1), coalesce(a, big, 0) from t
select 'lit', 1, 1.5, true, -1, 1e3, .5, 5., 123456789012345678901234567890, 3000000000, 1.50, 'it''s', 1_000
select -2147483648, -2147483649, 9223372036854775808, 0.05, 00.5, 1e-3, x'41', e'a''b', $$raw$$
select a between 1 and 2, a not between 1 and 2, a in (1,2), a not in (1,2), a is null, a is not null from t
select not bo, bo is true, bo is not false, a is distinct from b, a is not distinct from b from t
select a is true, a is not true, bo is unknown, bo is null, a isnull, a notnull from t
select c like 'x', c not like 'x', c ilike 'x', c like 'x' escape '!', c similar to 'x', c ~ 'x', c glob 'x' from t
select c || 'x', regexp_matches(c,'x'), c not similar to 'a', c not ilike 'x', c !~ 'x', c ~~ 'x', c !~~ 'y' from t
select c not like 'x' escape '$', c ilike 'x' escape '$', starts_with(c,'x') from t
select extract(year from d), extract(dow from d), extract('year' from d), date_part('month', d), year(d), month(d) from t
select date_trunc('day', d), date_trunc('day', ts), d + interval 1 month, d - 3, d + 3, d - d, ts - ts from t
select log2(b), log10(b), log(2, b), sha256(c), encode(c), epoch_ms(b), regexp_extract(c, 'b'), regexp_extract_all(c, 'a.', 0) from t
select typeof(a), typeof(g), c ~* 'X', ts at time zone 'UTC', coalesce(g, 0), greatest(g, 1) from t
select grouping_id(a, c), regr_slope(a, b), arg_min(c, a) from t group by a, c
select count(*) over (order by a groups between current row and 1 following exclude no others) from t
select ts + interval 1 day, d between date '2020-01-01' and '2020-02-01', d = '2020-01-01', d > ts from t
select strftime(d, '%Y'), datediff('day', d, d), date_diff('month', d, ts), make_date(2020,1,2), last_day(d) from t
select dayname(d), epoch(ts), age(ts, ts), date_add(d, interval 1 day), hour(ts), quarter(d), week(d), isodow(d) from t
select row_number() over (), rank() over (order by a desc), dense_rank() over (order by a), ntile(3) over (order by a) from t
select sum(a) over (partition by b order by c rows between 2 preceding and current row), lag(a, 1) over (order by a) from t
select sum(a) over (order by a range between unbounded preceding and unbounded following) from t
select first_value(a ignore nulls) over (order by b), lead(a,1,0) over (order by a nulls first), nth_value(c, 2) over (order by a) from t
select count(*) over w, sum(a) over (w rows unbounded preceding), avg(a) over (partition by b, c order by d desc nulls first, a) from t window w as (partition by b)
select sum(a) over (rows between 1 following and unbounded following exclude current row), count(*) filter (where a>1) over () from t
select percent_rank() over (order by a), cume_dist() over (order by a), sum(g) over (), avg(f) over (order by a) from t
select (select 1), exists(select 1), a in (select a from u), a = any(select a from u), not exists (select 1) from t
select (select max(k) from u), a not in (select a from u), a < some(select a from u) from t
select upper(c), substring(c,1,2), substring(c from 1 for 2), substr(c,1), trim(c), ltrim(c), length(c), concat(c,'x') from t
select position('a' in c), strpos(c,'a'), left(c,2), replace(c,'a','b'), lower(c), trim(both 'x' from c), trim(leading from c) from t
select round(f,2), floor(f), ceil(f), abs(a), a/b, a//b, a%b, a**b, a^b, mod(a,b), power(a,2), pow(a, 2), sqrt(f) from t
select greatest(a,b), least(a,b), sign(-2), ln(2), log(10), log(2, 8), pi(), trunc(1.5), round(g, 1) from t
select a & b, a | b, a << 1, ~a, xor(a,b) from t
select g + 1, g * 2, g + g, g * g, g / 2, f * g, big + a, a * 1.0, 1 - g, g * (1 - g), a / 2 from t
select sum(g), avg(g), sum(g * (1-g)), sum(f), sum(g) / 7.0, 0.2 * avg(g), count(*) * 1.0, sum(a) / count(*) from t
select A, T.a, "a", t.A as X, "B" from t
select A+1, sum(T.a) from t group by 1
select a, (a), (a+1), ((a)) from t
select sum(a)+1, sum(a+1)*2, count(*)*2, -sum(a), round(avg(a), 2) from t
select a=1, a<>1, a!=1, a==1, a>=b and b<3 or bo, not (a = 1 and b = 2) from t
select a as "my col", "my col" + 1 from t
select t.a + u.a, t.b+1 from t, u
select main.t.a from t
select "group", "group" + 1, "with space" + 1 from (select 1 as "group", 2 as "with space")
select a as A, "MixedCase", "select"+1 from (select 1 a, 2 as "MixedCase", 4 as "select")
values (1,'a'),(2,null)
select * from (values (1,2)) v
select * from (values (1,2)) v(x)
select * from (values (1),(2.5)) v
select * from (values (date '2020-01-01'),('2020-01-02')) v
select * from t
select t.* from t, u
select * exclude (a, b) from t
select * exclude a from u
select * replace (a+1 as a) from u
select * rename (a as zzz) from u
select columns('^a|k') from u
select columns(*) from u
from t
from t select a, b
select * from t join u using (a)
select u.* from t join u using (a)
select * from t right join u using (a)
select * from u natural join t
select * from u semi join t on t.a=u.a
select * from u anti join t using (a)
select * from u as w(p, q)
select w.s, w.p from u as w(p, q)
select * from (select 1, 2) x(y)
with c(p) as (select 1, 2) select * from c
with c as (select a, sum(b) as n from t group by a) select * from c where n > 1
with c as materialized (select a from t), c2 as (select a + 1 as z from c) select * from c, c2
select a+1 as z from t where z = 2
select b as z, z+1 as y, y*2 as w from t
select count(*) as b from t having b > 1
select b as q, sum(a) from t group by all having q > 2
select (a+b)*2 from t group by a, b
select a+b+1, sum(b) from t group by a+b
select a, rank() over (order by sum(b)) from t group by a
select sum(sum(a)) over () from t
select a from u union select b from t order by 1
select 1 union select 1.5
select null union select 1
select 1 union select '2'
select date '2020-01-01' union select '2020-01-02'
select 1 as a, 2 as b union by name select 5 as b, 2 as a
select 1 as a union all by name select 2 as b
select 1 except select 2 intersect select 2
select distinct on (a) a, b from t order by a, b desc
select distinct a from t order by a+1
select a from t limit 1+1 offset 1
select a from t fetch first 5 rows only
select (a, b) in ((1, 2), (3, 4)) from t
select true union select 1
select current_date, today(), now(), current_timestamp
select range, r.range + 1 from range(3) r
select * from generate_series(1, 3) s(i)
select [a, b], [1, 2] from t
select c similar to 'a.*', a = any(select 1) from t
select f, -f, f + 1, f / 2, f > 1 from t
select a, bo, sum(b), grouping(a, bo) from t group by rollup(a, bo)
select a, bo, count(*) from t group by grouping sets ((a, bo), (a), ())
select min(columns(*)) from u
select min(columns(*)) as m from u
select columns('^[ak]$') + 1 from u
select columns(* exclude a), columns(['s', 'k']) from u
select c[1], c[-1], c[1:2], c[2:], [1,2,3][2], [[1],[2]][1][1] from t
select 1 where 'true'
select * from u where a
select not a from u
table u
"""  # noqa: E501

# SUM of whole numbers is a BIGINT that raises when it overflows; DuckDB widens it to 128 bits.
WIDER_IN_DUCKDB = {("HUGEINT", "BIGINT")}
# what DuckDB calls the type of NULL
NO_TYPE = '"NULL"'


@pytest.fixture(scope="module")
def oracle() -> duckdb.DuckDBPyConnection:
    return in_duckdb()


@pytest.fixture(scope="module")
def catalog() -> MemoryCatalog:
    return in_catalog()


@pytest.mark.parametrize("sql", QUERIES.strip().splitlines())
def test_names_and_types_are_duckdbs(
    sql: str, oracle: duckdb.DuckDBPyConnection, catalog: MemoryCatalog
) -> None:
    described = oracle.execute(f"DESCRIBE {sql}").fetchall()
    fields = bind_query_text(sql, catalog).schema.fields
    assert [f.name for f in fields] == unique_names([row[0] for row in described])
    for field, (name, wanted, *_) in zip(fields, described, strict=True):
        mine = sql_name(field.type)
        assert wanted == NO_TYPE or mine == wanted or (wanted, mine) in WIDER_IN_DUCKDB, name


@pytest.mark.parametrize(
    "sql",
    [
        "select a, a, t.a from t",
        "select a, a a_1, a from t",
        "select 1 as A, 2 as a",
        "select * from (select 1 a, 2 a, 3 a_1)",
        "select t.*, u.* from t, u",
        "select *, a from u",
        "with c as (select 1 x) select * from c, c as d",
    ],
)
def test_repeated_names_get_numbers_as_in_duckdbs_frames(
    sql: str, oracle: duckdb.DuckDBPyConnection, catalog: MemoryCatalog
) -> None:
    names = list(oracle.execute(sql).df().columns)
    assert list(bind_query_text(sql, catalog).schema.names) == names
