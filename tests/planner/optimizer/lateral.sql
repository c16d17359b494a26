-- One query a line, over the tables of test_lateral.py.
select t.k, t.x, q.* from t, lateral (select u.v, u.w from u where u.k = t.k) q
select t.k, t.x, q.v from t, lateral (select u.v from u where u.k = t.k order by u.v nulls last limit 1) q
select t.k, t.x, q.v from t, lateral (select u.v from u where u.k = t.k order by u.v desc nulls last limit 1 offset 1) q
select t.k, t.x, q.v from t left join lateral (select u.v from u where u.k = t.k order by u.v nulls last limit 2) q on true
select t.k, t.x, q.v from t join lateral (select u.v from u where u.k = t.k) q on true
select t.k, t.x, q.v from t cross join lateral (select u.v from u where u.k = t.k) q
select t.k, t.x, q.n, q.s from t, lateral (select count(*) as n, sum(u.v) as s from u where u.k = t.k) q
select t.k, t.x, q.n, q.s from t left join lateral (select count(*) as n, sum(u.v) as s from u where u.k = t.k) q on true
select t.k, t.x, q.n from t left join lateral (select count(*) as n from u where u.k = t.k) q on q.n > 0
select t.k, t.x, q.n from t join lateral (select count(*) as n from u where u.k = t.k) q on q.n = 0
select t.k, t.x, q.n from t join lateral (select count(*)+t.x as n from u where u.k < t.k) q on q.n <> t.x
select t.k, q.s from t, lateral (select t.x + u.v as s from u) q
select t.k, q.s from t left join lateral (select t.x + u.v as s, 5 as c from u where u.k > t.k) q on true
select t.k, q.c from t left join lateral (select t.x as c from u where u.k = t.k) q on true
select t.k, q.c from t left join lateral (select 5 as c from u where u.k = t.k) q on q.c > t.x
select t.k, q.y from t, lateral (select t.x * 2 as y) q
select t.k, r.z from t, lateral (select t.x * 2 as y) q, lateral (select q.y + 1 as z) r
select t.k, a.v, b.n from t, lateral (select u.v from u where u.k = t.k) a, lateral (select count(*) n from u where u.v > a.v and u.k >= t.k) b
select t.k, q.v, q.m from t, lateral (select u.v, i.m from u, lateral (select max(u2.v) m from u u2 where u2.k = u.k and u2.v > t.x) i where u.k = t.k) q
select t.k, q.v from t, (select u.v from u where u.k = t.k) q
select t.k, q.v from t join (select u.v from u where u.k = t.k) q on true
select t.k, q.v from t left join (select u.v, u.k from u where u.k = t.k) q on q.k = t.x
select t.k, q.a from t, (values (t.k), (t.x)) q(a)
select t.k, q.a from t, lateral (values (t.k), (t.x)) q(a)
select t.k, q.a from t, lateral (select t.k as a union all select t.x) q
select t.k, q.a from t, lateral (select v as a from u where u.k=t.k union select t.x) q
select t.k, q.v from t, lateral (select distinct u.k + t.x as v from u) q
select t.k, q.v, q.r from t, lateral (select u.v, row_number() over (order by u.v) as r from u where u.k = t.k) q
select t.k, q.k2, q.n from t, lateral (select u.k as k2, count(*) as n from u where u.v > t.x group by u.k having count(*) > 0) q
select t.k, a.v, u.w from t, lateral (select u.v, u.k from u where u.k = t.k) a join u on u.v = a.v
select t.k, a.v, u.w from t, lateral (select u.v, u.k from u where u.k = t.k) a right join u on u.v = a.v
select t.k, a.v, u.w from t, u join lateral (select e.v from e where e.k = t.k) a on true
select t.k, u.w, a.v from t, u join lateral (select u3.v from u u3 where u3.k = t.k) a on a.v = u.v
select t.k, u.w, a.v from t, u left join lateral (select u3.v from u u3 where u3.k = t.k) a on a.v = u.v
select t.k, (select sum(q.v) from u left join lateral (select u.v + t.x as v) q on true where u.k = t.k) as s from t
select t.k from t where exists (select 1 from u, lateral (select u.v + t.x as z) q where q.z > 5)
select t.k, q.v from t, lateral (select u.v from u where u.k = t.k and exists (select 1 from u y where y.v > u.v and y.k = t.k)) q
select * from t join u using (k), lateral (select u.v + k as z) q
select t.k, sum(q.v) from t, lateral (select u.v from u where u.k = t.k) q group by t.k
select t.k, q.v from t, lateral (select u.v from u where u.k = t.k limit 1) q where t.k = 2
with c as (select k, v from u) select t.k, q.v from t, lateral (select max(v) v from c where c.k = t.k) q, c c2 where c2.k = t.k
select t.k, q.v from t, lateral (with c as (select * from u where u.k = t.k) select a.v from c a, c b where a.v < b.v) q
select t.k, q.v from t, lateral (select u.v from u where u.k = t.k limit 0) q
select t.k, q.v from t, lateral (select e.v from e where e.k = t.k) q
select t.k, q.n from t, lateral (select count(e.v) n from e where e.k = t.k) q
select q.v, t.k from lateral (select v from u) q, t
select t.k, q.v from t, (u join lateral (select u.v as v2) r on true) q
select t.k, q.z from t, lateral (select a.k as z from u a left join u b on a.v = b.k and b.v > t.x) q
select t.k, q.z from t, lateral (select b.k as z from u a full join u b on a.v = b.k and b.v > t.x) q
select t.k, q.l from t, lateral (select list(u.v order by u.v) as l from u where u.k = t.k) q
select t.k, q.w from t left join lateral (select string_agg(u.w, ',' order by u.w) w from u where u.k = t.k) q on true
select t.k, z.v from t, (u join lateral (select t.x as v) r on true) z
select t.k, u.v from t, (u join lateral (select u.v + t.x as z) r on u.k < t.k)
