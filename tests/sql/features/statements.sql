-- CREATE TABLE AS
create table c as select k, v from a; select count(*) as n, sum(v) as v from c

-- CREATE VIEW
create view c as select k, v from a where k = 1; select * from c

-- CREATE OR REPLACE VIEW
create view c as select 1 as x; create or replace view c as select 2 as x; select * from c

-- CREATE VIEW over a view
create view c as select k from a; create view d as select k + 1 as k from c; select * from d

-- CREATE TABLE with column names
create table c(x, y) as select k, v from a; select x, y from c

-- CREATE TABLE IF NOT EXISTS
create table c as select 1 as x; create table if not exists c as select 2 as x; select * from c

-- CREATE TEMP TABLE
create temp table c as select 1 as x; select * from c

-- DROP
-- error: TableNotFoundError
create view c as select 1 as x; drop view c; select * from c

-- DROP IF EXISTS
drop table if exists nothing; select 1 as x

-- a name that is taken
-- error: PlaitError
create table c as select 1 as x; create table c as select 2 as x

-- DESCRIBE a query has the columns and types
-- columns: column_name column_type
describe select id, k + 1 as x, s, 1.5 as d, date '2024-01-01' as e from a

-- DESCRIBE a table
-- columns: column_name column_type
describe g

-- SHOW TABLES
-- rows: 2
create table c as select 1 as x; create view d as select 1 as x; show tables

-- EXPLAIN
-- answers
explain select * from a where k = 1

-- EXPLAIN ANALYZE
-- answers
explain analyze select k, count(*) from a group by k

-- several statements
select 1 as x; select 2 as x

-- INSERT
-- refused: INSERT
create table c as select 1 as x; insert into c select 2

-- UPDATE
-- refused: UPDATE
create table c as select 1 as x; update c set x = 2

-- DELETE
-- refused: DELETE
create table c as select 1 as x; delete from c where x = 1

-- MERGE
-- refused: MERGE
create table c as select 1 as x; merge into c using a on c.x = a.id when matched then delete

-- CREATE TABLE with types
-- refused: CREATE TABLE
create table c (x int, y varchar)

-- SUMMARIZE
-- refused: SUMMARIZE
summarize a

-- PREPARE
-- refused: PREPARE
prepare p as select 1

-- CREATE MACRO
-- refused: MACRO
create macro plus(x, y) as x + y

-- information_schema
-- refused: information_schema
select table_name from information_schema.tables

-- ATTACH
-- refused: ATTACH
attach 'x.db' as y

-- BEGIN
-- refused: BEGIN
begin

-- CREATE INDEX
-- refused: INDEX
create index i on a (k)

-- ALTER TABLE
-- refused: ALTER
create table c as select 1 as x; alter table c add column y int

-- MATCH_RECOGNIZE
-- error: SqlSyntaxError
select * from a match_recognize (partition by k order by id measures first(id) as f pattern (x y+) define y as v > 1)
