-- A condition of constant calls that is false, above a subquery of two rows: PostgreSQL runs nothing.
CREATE TABLE t0 (k int4 NOT NULL, e uuid, d int4, c bool, b timestamptz NOT NULL, PRIMARY KEY (k));
CREATE TABLE t1 (k int4 NOT NULL, c int4, b text NOT NULL, PRIMARY KEY (k));
CREATE TABLE t2 (k int4 NOT NULL, l numeric(10,2) NOT NULL, e numeric NOT NULL, d numeric, c bool, b float8, PRIMARY KEY (k, l));
CREATE MATERIALIZED VIEW v0 AS SELECT DISTINCT ON (c0, c1) c0, c1 FROM (SELECT x9.d AS c0, (('5'::int4) % 1000)::numeric(10,2) AS c1 FROM (SELECT x7.c0 FROM (SELECT (SELECT min(x1.k) FROM t1 x5 WHERE (('-1'::int4 - '0'::int4) IS NOT NULL)) AS c0 FROM t1 x1 CROSS JOIN t1 x2, LATERAL (SELECT count(*) AS c0 FROM t1 x4) x3 WHERE ('0'::int4 < ANY (SELECT CASE WHEN (x6.c <= 'false'::bool) THEN '-1'::int4 ELSE x1.k END FROM t2 x6 WHERE x6.k = x1.c))) x7 ORDER BY c0 NULLS FIRST OFFSET 4) x0 RIGHT JOIN t2 x8 ON x0.c0 = x8.e FULL JOIN t0 x9 USING (k) WHERE (lpad('o''x'::text, 3, '*') LIKE '%b%')) x10 ORDER BY c0, c1 DESC;
CREATE MATERIALIZED VIEW v1 AS WITH RECURSIVE x0(n, d) AS (SELECT (c0) % 7, 0 FROM (SELECT ('1000'::int4)::int4 AS c0 FROM t2 x2 WHERE (('1000'::int4 IN (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, NULL)) NOT IN (SELECT ('1'::int8 NOT IN (NULL::int8, '0'::int8)) FROM t1 x3 WHERE x3.c = x2.l AND (x2.k BETWEEN '0'::int4 AND x3.k)))) x10 UNION SELECT (least('5'::int4, '2'::int4)) % 7, x0.d + 0 FROM x0 JOIN t2 x1 ON '1'::int4 = x0.n AND ('{"a": 1, "b": [2, "x"]}'::jsonb IS JSON OBJECT)) SELECT n AS c0, d AS c1 FROM x0 GROUP BY n, d;
BEGIN;
INSERT INTO t0 (k, e, d, c, b) VALUES (5, '00000000-0000-0000-0000-000000000001'::uuid, '0'::int4, 'true'::bool, '2024-01-01 00:00:00+00'::timestamptz), (2, '00000000-0000-0000-0000-000000000001'::uuid, NULL, 'false'::bool, '1999-12-31 23:59:59.999999+00'::timestamptz), (6, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, NULL, 'false'::bool, '2024-01-01 00:00:00+00'::timestamptz) ON CONFLICT (k) DO NOTHING;
INSERT INTO t1 (k, c, b) VALUES (7, '0'::int4, 'a%_'::text), (4, '3'::int4, '12'::text), (5, '2'::int4, '😀'::text) ON CONFLICT (k) DO UPDATE SET b = 'ä'::text WHERE t1.k < excluded.k + 1;
INSERT INTO t2 (k, l, e, d, c, b) VALUES (7, '2.50'::numeric(10,2), '0.125'::numeric, '-2.25'::numeric, 'true'::bool, NULL), (0, '0.00'::numeric(10,2), '12345678901234567890.5'::numeric, '1.5'::numeric, NULL, 'NaN'::float8), (2, '0.00'::numeric(10,2), '12345678901234567890.5'::numeric, '1.5'::numeric, 'true'::bool, '1048576.125'::float8) ON CONFLICT (k, l) DO UPDATE SET e = excluded.e, d = excluded.d, c = excluded.c, b = excluded.b;
COMMIT;
-- power cut
BEGIN;
DELETE FROM t1 WHERE k IS DISTINCT FROM '-1'::int4;
COMMIT;
BEGIN;
INSERT INTO t1 (k, c, b) SELECT (s.k + 1) % 9, s.k, 'ä'::text FROM t2 s WHERE s.k = 0 AND false ON CONFLICT DO NOTHING;
COMMIT;
-- checkpoint
BEGIN;
INSERT INTO t1 (k, c, b) VALUES (1, '5'::int4, ''::text), (0, NULL, ''::text);
COMMIT;
BEGIN;
INSERT INTO t1 (k, c, b) VALUES (6, '1000'::int4, ''::text) ON CONFLICT (k) DO NOTHING;
COMMIT;
BEGIN;
INSERT INTO t1 (k, c, b) VALUES (0, '5'::int4, ''::text), (3, NULL, 'b'::text);
COMMIT;
BEGIN;
INSERT INTO t2 (k, l, e, d, c, b) SELECT (s.k + 1) % 9, s.l, s.e, s.e, s.c, s.b FROM t2 s WHERE s.k = 4 AND false ON CONFLICT DO NOTHING;
COMMIT;

