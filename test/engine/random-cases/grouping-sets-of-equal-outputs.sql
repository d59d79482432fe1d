-- view v0, after INSERT INTO t0 (k, c, b) VALUES (7, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, 'a'::varchar(4)): 3 rows where there should be 3
--   missing ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",null]
CREATE TABLE t0 (k int4 NOT NULL, c uuid, b varchar(4));
CREATE MATERIALIZED VIEW v0 AS SELECT x1.c AS c0, x1.c AS c1 FROM t0 x1 GROUP BY GROUPING SETS ((1, 2), (1), ());
BEGIN;
INSERT INTO t0 (k, c, b) VALUES (7, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, 'a'::varchar(4));
COMMIT;
