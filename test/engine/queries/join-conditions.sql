-- Subqueries in the conditions of joins.

SELECT t.k, u.k AS l FROM t JOIN u ON t.a = u.a AND EXISTS (SELECT 1 FROM n WHERE n.a = t.a);
SELECT t.k, u.k AS l FROM t JOIN u ON t.a = (SELECT max(a) FROM n WHERE n.c = u.c);
SELECT t.k, u.k AS l FROM t LEFT JOIN u ON t.a = u.a AND u.c IN (SELECT c FROM n);
SELECT t.k, u.k AS l FROM t LEFT JOIN u ON t.a = u.a AND t.c IN (SELECT c FROM n);
SELECT t.k, u.k AS l FROM t LEFT JOIN u ON EXISTS (SELECT 1 FROM n WHERE n.a = t.a AND n.c = u.c);
SELECT t.k, u.k AS l FROM t RIGHT JOIN u ON t.k = u.k AND t.a + u.a NOT IN (SELECT a FROM n WHERE n.c = t.c OR n.c = u.c);
SELECT t.k, u.k AS l FROM t FULL JOIN u ON t.k = u.k AND u.c IN (SELECT c FROM n);
SELECT n.a, m.a AS b, n.c FROM n LEFT JOIN n m ON n.a < m.a AND m.d > ALL (SELECT d FROM t WHERE t.c = n.c);
SELECT t.k, x FROM t JOIN generate_series(1, 3) x ON x = t.a AND x IN (SELECT a FROM n);
SELECT t.k, x.y FROM t JOIN LATERAL (SELECT t.a + 1 AS y) x ON x.y IN (SELECT a FROM u);
SELECT t.k, u.k AS l, p.id FROM t LEFT JOIN u ON t.a = u.a AND EXISTS (SELECT 1 FROM n WHERE n.a = u.a) LEFT JOIN p ON p.id = (SELECT min(id) FROM p WHERE p.parent = u.k);
SELECT t.k, (SELECT count(*) FROM u LEFT JOIN n ON u.a = n.a AND n.c IN (SELECT c FROM p JOIN u z ON z.k = t.k AND p.id = n.a)) AS x FROM t;
SELECT t.k, u.k AS l FROM t JOIN u ON t.a IN (SELECT a FROM n) OR u.a IN (SELECT a FROM n);
SELECT count(*) AS x FROM t LEFT JOIN u ON (SELECT t.a) = u.a WHERE u.k IS NULL;
SELECT a.k, b.k AS l FROM t a JOIN t b ON ARRAY(SELECT u.k FROM u WHERE u.a = a.a ORDER BY 1) = ARRAY(SELECT u.k FROM u WHERE u.a = b.a ORDER BY 1);
