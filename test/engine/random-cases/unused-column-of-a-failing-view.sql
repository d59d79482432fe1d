-- case 4103354211
-- view v2, after INSERT INTO t0 (k, e, d, c, b) VALUES (1, '-2.25'::numeric, '3'::int4, '0.125'::numeric, 'false'::bool), (3, '1'::numeric, NULL, '-2.25'::numeric, 'false'::bool), (6, '1.5'::numeric, '5'::int4, '-2.25'::numeric, 'false'::bool) ON CONFLICT (k) DO UPDATE SET c = '0.125'::numeric WHERE t0.k < excluded.k + 1: fails with 21000, not null
CREATE TABLE t0 (k int4 NOT NULL, e numeric, d int4, c numeric NOT NULL, b bool, PRIMARY KEY (k));
CREATE MATERIALIZED VIEW v0 AS SELECT ((SELECT min(CASE WHEN (x6.e IS NOT NULL) THEN '2024-01-01 00:00:00+00'::timestamptz ELSE '2024-01-01 00:00:00+00'::timestamptz END) FROM t0 x7))::timestamptz AS c0 FROM t0 x6;
CREATE MATERIALIZED VIEW v2 AS SELECT '0'::numeric AS c0, '0'::numeric AS c1, '0'::int8 AS c2, '0'::int4 AS c3 FROM v0 x1;
BEGIN;
INSERT INTO t0 (k, e, d, c, b) VALUES (1, '-2.25'::numeric, '3'::int4, '0.125'::numeric, 'false'::bool), (3, '1'::numeric, NULL, '-2.25'::numeric, 'false'::bool), (6, '1.5'::numeric, '5'::int4, '-2.25'::numeric, 'false'::bool) ON CONFLICT (k) DO UPDATE SET c = '0.125'::numeric WHERE t0.k < excluded.k + 1;
COMMIT;
