-- view v1, after INSERT INTO t2 (k, l, c, b) VALUES (4, 'true'::bool, '-1'::int4, 'true'::bool), (2, 'false'::bool, '-1'::int4, 'true'::bool), (3, 'true'::bool, '1000'::int4, 'true'::bool) ON CONFLICT (k, l) DO UPDATE SET c = excluded.c, b = excluded.b: 2 rows where there should be 3
--   missing [null,null]
CREATE TABLE t2 (k int4 NOT NULL, l bool NOT NULL, c int4, b bool, PRIMARY KEY (k, l));
CREATE MATERIALIZED VIEW v1 AS SELECT '3'::int4 AS c0, 'null'::jsonb AS c4 FROM t2 x0 GROUP BY ROLLUP (1, 2) HAVING bit_xor(x0.c) > '3'::int4;
BEGIN;
INSERT INTO t2 (k, l, c, b) VALUES (4, 'true'::bool, '-1'::int4, 'true'::bool), (2, 'false'::bool, '-1'::int4, 'true'::bool), (3, 'true'::bool, '1000'::int4, 'true'::bool) ON CONFLICT (k, l) DO UPDATE SET c = excluded.c, b = excluded.b;
COMMIT;
