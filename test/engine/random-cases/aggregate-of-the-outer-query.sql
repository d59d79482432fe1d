-- view v0, when v0 is made: 0 rows where there should be 1
--   missing [null]
CREATE TABLE t0 (k int4 NOT NULL, c uuid, b int4);
CREATE MATERIALIZED VIEW v0 AS SELECT DISTINCT (SELECT max(x0.b) FROM t0 x2) AS c0 FROM t0 x0;
