-- Changes that ask subqueries. After each statement the tables are compared.

INSERT INTO a VALUES (1, 10, 'x'), (2, 20, 'y'), (3, 30, 'z'), (4, NULL, 'x');
INSERT INTO b VALUES (1, 'x'), (2, 'q'), (7, 'z');
UPDATE a SET n = n + 1 WHERE k IN (SELECT n FROM b) RETURNING k, n;
UPDATE a SET n = (SELECT max(b.n) FROM b WHERE b.t = a.s) WHERE k < 4 RETURNING *;
UPDATE a SET s = (SELECT t FROM b WHERE b.n = a.k);
UPDATE a SET s = 'none' WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.n = a.k);
UPDATE a SET n = (SELECT n FROM b) WHERE k = 1;
UPDATE a SET k = k + 100 * (SELECT count(*) FROM b) RETURNING k;
UPDATE a SET k = (SELECT min(k) FROM a);
UPDATE a SET n = (SELECT count(*) FROM a x WHERE x.k <= a.k);
DELETE FROM a WHERE n > (SELECT avg(n) FROM a) RETURNING k;
DELETE FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.n = a.n) RETURNING *;
INSERT INTO a SELECT n, n * 2, t FROM b RETURNING k, n / 2;
INSERT INTO a SELECT n, n * 2, t FROM b ON CONFLICT (k) DO UPDATE SET n = a.n + excluded.n RETURNING *;
DELETE FROM a WHERE k IN (SELECT k FROM a WHERE s = 'q');
