-- The last row of a frame that ends at a distance may stand any number of rows before what is that near: it was not looked at, and the value was null.
CREATE TABLE t (k int4 NOT NULL, c int4, d timestamptz, PRIMARY KEY (k));
CREATE MATERIALIZED VIEW v AS SELECT k, last_value(c) OVER (ORDER BY c RANGE BETWEEN UNBOUNDED PRECEDING AND 5 PRECEDING) AS x FROM t;
CREATE MATERIALIZED VIEW w AS SELECT k, last_value(d) OVER (ORDER BY d DESC NULLS LAST RANGE BETWEEN UNBOUNDED PRECEDING AND '1 hour' PRECEDING) AS x FROM t;
BEGIN;
INSERT INTO t VALUES (1, 1, 'infinity'), (2, NULL, '-infinity'), (3, NULL, '-infinity');
COMMIT;
BEGIN;
INSERT INTO t VALUES (4, 10, '2024-01-01');
COMMIT;
BEGIN;
INSERT INTO t VALUES (5, 2, NULL), (6, 100, '2024-01-01');
COMMIT;
BEGIN;
UPDATE t SET c = 94 WHERE k = 4;
COMMIT;
BEGIN;
DELETE FROM t WHERE k IN (1, 4);
COMMIT;
