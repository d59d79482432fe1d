-- 42P01 missing FROM-clause entry for table "x0"
CREATE TABLE t0 (k int4 NOT NULL, c text, b int4);
CREATE TABLE t1 (k int4 NOT NULL, l timestamptz NOT NULL, d numeric NOT NULL, c text, b int2, PRIMARY KEY (k, l));
CREATE MATERIALIZED VIEW v2 AS SELECT 'a'::text AS c3 FROM t0 x0, LATERAL (SELECT 'a'::text AS c0 FROM t1 x2) x1 CROSS JOIN LATERAL unnest(string_to_array(x0.c, 'a')) AS x3(c0);
