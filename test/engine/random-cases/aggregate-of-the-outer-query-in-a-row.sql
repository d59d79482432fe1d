-- view v2, when v2 is made: fails with null, not 21000
CREATE TABLE t0 (k int4 NOT NULL, e numeric, d int4, c int4, b float8, PRIMARY KEY (k));
BEGIN;
INSERT INTO t0 (k, e, d, c, b) VALUES (2, NULL, '0'::int4, '-1'::int4, '0'::float8) ON CONFLICT (k) DO UPDATE SET e = excluded.e, d = excluded.d, c = excluded.c, b = excluded.b;
COMMIT;
BEGIN;
INSERT INTO t0 (k, e, d, c, b) VALUES (6, '0'::numeric, '3'::int4, '-1'::int4, '100'::float8);
COMMIT;
CREATE MATERIALIZED VIEW v2 AS SELECT trim_scale((SELECT min(trim_scale(x0.c0)) FROM t0 x2)) AS c0 FROM (SELECT '0'::numeric AS c0, '0'::int8 AS c1 FROM t0 x1) x0;
