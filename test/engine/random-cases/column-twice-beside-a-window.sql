-- view v1, when v1 is made: 1 rows where there should be 1
--   wrong   ["6","0","1"]
--   missing ["6","6","1"]
CREATE TABLE t1 (k int4 NOT NULL, e text, d int4, c timestamptz, b int4, PRIMARY KEY (k));
BEGIN;
INSERT INTO t1 (k, e, d, c, b) VALUES (6, ''::text, NULL, '2024-02-29 12:00:00.123456+00'::timestamptz, '5'::int4) ON CONFLICT (k) DO NOTHING;
COMMIT;
-- floats 3
CREATE MATERIALIZED VIEW v1 AS SELECT x0.k AS c0, x0.k AS c1, cume_dist() OVER ( ORDER BY 'a'::text NULLS FIRST) AS c3 FROM t1 x0;
