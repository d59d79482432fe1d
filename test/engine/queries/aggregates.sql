-- Aggregates of every kind, with DISTINCT, FILTER, ORDER BY, WITHIN GROUP; grouping sets.

SELECT bool_and(g) AS x, bool_or(g) AS y, every(g) AS z FROM t;
SELECT a, bool_and(g) AS x, bool_or(g) AS y, bool_and(f > 0) FILTER (WHERE k > 3) AS z FROM t GROUP BY a;
SELECT bit_and(a) AS x, bit_or(a) AS y, bit_xor(a) AS z FROM t;
SELECT c, bit_and(b) AS x, bit_or(b) AS y, bit_xor(b) AS z FROM t GROUP BY c;
SELECT a, bit_and(b::int2) AS x, bit_or((-k)::int2) AS y, bit_xor(-b) AS z FROM u WHERE b < 1000 GROUP BY a;
SELECT var_pop(a) AS a1, var_samp(a) AS a2, variance(a) AS a3, stddev_pop(a) AS a4, stddev_samp(a) AS a5, stddev(a) AS a6 FROM t;
SELECT c, var_pop(b) AS b1, var_samp(b) AS b2, stddev(b) AS b3, stddev_pop(b) AS b4 FROM t GROUP BY c;
SELECT a, var_pop(d) AS d1, var_samp(d) AS d2, stddev(d) AS d3, stddev_pop(d) AS d4 FROM n GROUP BY a;
SELECT stddev('5') AS x, variance('2.5') AS y, var_pop(NULL) AS z FROM t;
SELECT var_pop(k::int2) AS x, stddev(d::numeric(10, 2)) AS y, variance(a) FILTER (WHERE g) AS z FROM t;
-- floats 2, 3, 4, 5
SELECT a, var_pop(f) AS x, var_samp(f) AS y, stddev(f) AS z, stddev_pop(f) AS w FROM t GROUP BY a;
-- floats 1, 2, 3
SELECT var_pop(f) AS x, stddev(f) AS y, variance(f::float4) AS z FROM t WHERE f <> 'NaN';
-- floats 2, 3, 4
SELECT g, corr(a, k) AS x, covar_pop(a, k) AS y, covar_samp(k, f) AS z FROM t GROUP BY g;
-- floats 1, 2, 3, 5, 6, 7, 8, 9
SELECT regr_avgx(a, k) AS r1, regr_avgy(a, k) AS r2, regr_intercept(a, k) AS r3, regr_count(a, f) AS r4, regr_r2(a, k) AS r5, regr_slope(a, k) AS r6, regr_sxx(a, k) AS r7, regr_sxy(a, k) AS r8, regr_syy(a, k) AS r9 FROM t;
-- floats 2, 4
SELECT c, regr_slope(k, a) AS x, regr_count(k, a) AS n, regr_syy(k, f) AS s FROM t GROUP BY c;
SELECT string_agg(c, ',' ORDER BY c) AS x FROM t;
SELECT a, string_agg(c, c ORDER BY k DESC) AS x, string_agg(c, NULL ORDER BY k) AS y FROM t GROUP BY a;
SELECT a, string_agg(DISTINCT c, '-' ORDER BY c DESC) AS x FROM n GROUP BY a;
SELECT string_agg(c, ';' ORDER BY a, c) FILTER (WHERE a > 1) AS x FROM n;
SELECT string_agg(('\x0' || k)::bytea, '\xff' ORDER BY k) AS x FROM u;
SELECT array_agg(a ORDER BY a, k) AS x, array_agg(c ORDER BY c DESC NULLS LAST) AS y FROM t;
SELECT c, array_agg(k ORDER BY k) AS x, array_agg(d ORDER BY k) AS y, array_agg(g ORDER BY k) AS z FROM t GROUP BY c;
SELECT a, array_agg(DISTINCT c) AS x, array_agg(DISTINCT c ORDER BY c DESC) AS y FROM n GROUP BY a;
SELECT array_agg(h ORDER BY k) AS x, array_agg(f ORDER BY k) AS y, array_agg(b ORDER BY k) AS z FROM t WHERE a = 1;
SELECT array_agg(ARRAY[k, a] ORDER BY k) AS x FROM u;
SELECT c, json_agg(a ORDER BY k) AS x, jsonb_agg(a ORDER BY k) AS y FROM t GROUP BY c;
SELECT json_agg(f ORDER BY k) AS x, jsonb_agg(f ORDER BY k) AS y, json_agg(h ORDER BY k) AS z, jsonb_agg(d ORDER BY k) AS w FROM t;
SELECT g, json_agg(c ORDER BY k) FILTER (WHERE a IS NOT NULL) AS x, jsonb_agg(DISTINCT c) AS y FROM t GROUP BY g;
SELECT jsonb_agg(ARRAY[k, a] ORDER BY k) AS x, json_agg(ARRAY[c] ORDER BY k) AS y FROM u;
SELECT json_agg_strict(a ORDER BY k) AS x, jsonb_agg_strict(a ORDER BY k) AS y FROM t;
-- Of nulls alone a list without nulls is empty; of no rows it is null.
SELECT g, json_agg_strict(a ORDER BY k) AS x, jsonb_agg_strict(DISTINCT a) AS y, JSON_ARRAYAGG(a ORDER BY k) AS z FROM t GROUP BY g;
SELECT jsonb_agg_strict(a ORDER BY k) FILTER (WHERE a IS NULL) AS x, JSON_ARRAYAGG(c ORDER BY k) FILTER (WHERE c IS NULL AND k > 3) AS y FROM t;
SELECT t.k, jsonb_agg_strict(n.a ORDER BY n.a) AS x, json_agg_strict(n.c ORDER BY n.c) FILTER (WHERE n.d > 0) AS y FROM t LEFT JOIN n ON n.a = t.a AND n.c = t.c GROUP BY ROLLUP (t.k);
SELECT json_object_agg(k, c ORDER BY k) AS x, jsonb_object_agg(k, a) AS y FROM t;
SELECT a, jsonb_object_agg(c, k ORDER BY k) AS x, json_object_agg(c, b ORDER BY k) AS y FROM u GROUP BY a;
SELECT jsonb_object_agg(c, k ORDER BY k) AS x FROM t;
SELECT jsonb_object_agg_unique(c, k) AS x FROM u;
SELECT jsonb_object_agg_strict(k, a) AS x, json_object_agg_unique_strict(k, a ORDER BY k) AS y FROM t;
SELECT mode() WITHIN GROUP (ORDER BY a) AS x, mode() WITHIN GROUP (ORDER BY c DESC) AS y FROM t;
SELECT a, mode() WITHIN GROUP (ORDER BY c) AS x FROM n GROUP BY a;
-- floats 1, 2, 3
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) AS x, percentile_cont(0.25) WITHIN GROUP (ORDER BY k DESC) AS y, percentile_cont(1) WITHIN GROUP (ORDER BY b) AS z FROM t;
SELECT c, percentile_disc(0.5) WITHIN GROUP (ORDER BY a) AS x, percentile_disc(0) WITHIN GROUP (ORDER BY d) AS y, percentile_disc(0.9) WITHIN GROUP (ORDER BY h) AS z FROM t GROUP BY c;
SELECT a, percentile_disc(ARRAY[0.1, 0.5, NULL, 1]) WITHIN GROUP (ORDER BY c) AS x, percentile_cont(ARRAY[0, 0.5, 1]) WITHIN GROUP (ORDER BY a) AS y FROM n GROUP BY a;
SELECT percentile_cont(NULL) WITHIN GROUP (ORDER BY a) AS x, percentile_disc(0.5) WITHIN GROUP (ORDER BY a) FILTER (WHERE g) AS y FROM t;
SELECT percentile_cont(1.5) WITHIN GROUP (ORDER BY a) AS x FROM t;
SELECT a, percentile_cont(0.5) WITHIN GROUP (ORDER BY (k * interval '1 day')) AS x FROM u GROUP BY a;
SELECT any_value(g) IS NULL AS x, count(any_g) AS n FROM (SELECT a, any_value(g) AS any_g, bool_or(g) AS g FROM t GROUP BY a) x GROUP BY a;
SELECT sum(k * interval '1 day 2 hours') AS x, avg(k * interval '1 mon 1 hour') AS y, min(k * interval '1 day') AS z FROM t;
SELECT a, sum(h - '2024-01-01 00:00+00') AS x, avg(h - '2024-01-01 00:00+00') AS y FROM t GROUP BY a;
SELECT min(c) AS c1, max(c) AS c2, min(h) AS h1, max(h) AS h2, max(f) AS f1, min(f) AS f2, min(b) AS b1, max(b) AS b2 FROM t;
SELECT a, min(h::date) AS x, max(h::timestamp) AS y, min(h::time) AS z, max(c::varchar(3)) AS v, max(c::char(4)) AS w, max(k::int2) AS i, min(ARRAY[k, a]) AS r, max(f::float4) AS f4 FROM t GROUP BY a;
SELECT count(DISTINCT a) AS x, count(DISTINCT c) AS y, count(*) AS n, sum(DISTINCT a) AS s, avg(DISTINCT a) AS m FROM t;
SELECT c, count(DISTINCT a) AS x, sum(a) AS y, sum(DISTINCT a) AS z, avg(DISTINCT b) AS w, count(DISTINCT d) AS v FROM t GROUP BY c;
SELECT a, count(DISTINCT c) AS x, count(c) AS y, count(DISTINCT c) FILTER (WHERE d > 0) AS z, sum(DISTINCT d)::float8 AS w FROM n GROUP BY a;
-- floats 2, 3, 4
SELECT count(DISTINCT f) AS n, sum(DISTINCT f) AS x, stddev(DISTINCT k) AS y, corr(DISTINCT a, k) AS z FROM t WHERE f IS DISTINCT FROM 'NaN';
SELECT count(DISTINCT g) AS x, bit_xor(DISTINCT a) AS y, max(DISTINCT a) AS z, bool_and(DISTINCT g) AS w FROM t;
SELECT count(DISTINCT a + k) AS x, sum(DISTINCT a % 2) AS y, count(DISTINCT 10 / (k - 9)) AS z FROM u;
SELECT c, count(DISTINCT 6 / a) AS x, array_agg(6 / a ORDER BY k) AS y FROM t GROUP BY c;
SELECT c, array_agg(6 / (a - 3) ORDER BY k) FILTER (WHERE a <> 3) AS y, max(6 / (k + 1)) AS z FROM t GROUP BY c;
SELECT sum(b * 1000000000) AS x FROM t;
SELECT a, sum(k ORDER BY c) AS x, count(c ORDER BY k) AS y FROM t GROUP BY a;
SELECT a, c, count(*) AS n, grouping(a) AS ga, grouping(a, c) AS gac FROM t GROUP BY ROLLUP (a, c);
SELECT a, c, g, count(*) AS n, grouping(a, c, g) AS m FROM t GROUP BY CUBE (a, c, g);
SELECT a, c, sum(k) AS s, min(d) AS m FROM n JOIN u USING (a, c) GROUP BY GROUPING SETS ((a, c), (a), ()) HAVING count(*) > 0;
SELECT a, g, count(DISTINCT c) AS n, string_agg(c, ',' ORDER BY c) AS s FROM t GROUP BY GROUPING SETS (a, g, (a, g), ());
SELECT a, g, count(*) AS n FROM t GROUP BY a, ROLLUP (g);
SELECT a + 1 AS x, c, count(*) AS n FROM t GROUP BY GROUPING SETS ((a + 1), (c), (a + 1, c));
SELECT a, c, count(*) AS n FROM t GROUP BY GROUPING SETS ((a), (a)), CUBE (c);
SELECT a, c, count(*) AS n FROM t GROUP BY DISTINCT ROLLUP (a, c), ROLLUP (a);
SELECT a, count(*) AS n FROM t GROUP BY ROLLUP (a) HAVING grouping(a) = 1 OR a > 1;
SELECT a, c, count(*) AS n FROM t GROUP BY ROLLUP ((a, c));
SELECT k, c, count(*) AS n FROM u GROUP BY GROUPING SETS ((k), (k, a));
SELECT count(*) AS n, sum(a) AS s FROM t GROUP BY ();
SELECT grouping(a) AS g, a FROM t GROUP BY a;
SELECT a, count(*) AS n FROM t GROUP BY (a, c);
SELECT a, stddev(k) AS s FROM t GROUP BY a HAVING bool_or(g) AND count(DISTINCT c) > 1;
SELECT a FROM t GROUP BY a HAVING array_agg(k ORDER BY k) = ARRAY[1, 2] OR string_agg(c, '' ORDER BY c) > 'a';
SELECT k, (SELECT string_agg(c, ',' ORDER BY c) FROM n WHERE n.a = t.a) AS s, (SELECT regr_count(a, a) FROM n WHERE n.a = t.a) AS r FROM t;
SELECT k, k IS NULL AS x, coalesce(k, -1) AS y, k IN (SELECT a FROM n) AS z, k NOT IN (SELECT a FROM n WHERE a IS NOT NULL) AS w FROM u GROUP BY ROLLUP (k);
SELECT a, (SELECT count(*) FROM n WHERE n.a = u.a) AS n, count(*) FILTER (WHERE c = 'a') AS m, a = ANY (SELECT a FROM t) AS x FROM u GROUP BY CUBE (a);
SELECT a, k % 2 AS odd, CASE WHEN grouping(a, k % 2) = 3 THEN 'all' ELSE 'some' END AS what, sum(b) AS s FROM u GROUP BY GROUPING SETS ((a, k % 2), (k % 2), ()) ORDER BY a, odd;
SELECT DISTINCT a, count(DISTINCT c) AS n FROM t GROUP BY ROLLUP (a, g);
SELECT x.s, count(*) AS n FROM (SELECT a, string_agg(c, '' ORDER BY c) AS s, count(DISTINCT c) AS d FROM t GROUP BY a) x GROUP BY x.s;
