-- Lists of constants long enough to be looked up instead of compared one by one.

SELECT k FROM t WHERE a IN (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34);
SELECT k FROM t WHERE a NOT IN (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34);
SELECT k, a IN (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, NULL, 34) AS x, a NOT IN (5, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, NULL, 34) AS y FROM t;
SELECT k FROM t WHERE k IN (1, 3, 5, 7, 8, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33) AND a > 0;
SELECT k FROM t WHERE k IN ('1', 3, 5, 7, 8, '9', 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33);
SELECT k FROM t WHERE k IN (1.0, 3, 5.5, 7, 8, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33);
SELECT k FROM t WHERE k IN (1, 3, 5, 7, 8, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 9007199254740993);
SELECT k FROM t WHERE b IN (1, 3, 5, 7, 8, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 9007199254740993);
SELECT k FROM t WHERE c IN ('a', 'B', '', 'é', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8', 'x9', 'x"', 'x\', 'x,', '{x}', 'NULL');
SELECT k FROM t WHERE c NOT IN ('a', 'B', '', 'é', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8', 'x9', 'x"', 'x\', 'x,', '{x}', 'NULL');
SELECT k FROM t WHERE d IN (1.5, 1000, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, -2.00);
SELECT k FROM t WHERE f IN (1.5, 'NaN', 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0);
SELECT k FROM t WHERE f IN (-0.0, 0.1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18);
SELECT k FROM t WHERE h IN ('2024-01-01', '2024-02-29 12:00', '2024-03-01', '2024-03-02', '2024-03-03', '2024-03-04', '2024-03-05', '2024-03-06', '2024-03-07', '2024-03-08', '2024-03-09', '2024-03-10', '2024-03-11', '2024-03-12', '2024-03-13', '2024-03-14', '2024-03-15');
SELECT k FROM t WHERE g IN (true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true);
SELECT k FROM t WHERE a IN (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, k, b);
SELECT k FROM t WHERE a + 1 IN (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 1 + 2);
SELECT t.k, u.k AS other FROM t JOIN u ON u.a = t.a AND t.k IN (1, 3, 5, 7, 8, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33) AND u.c NOT IN ('a', 'B', '', 'x0', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8', 'x9', 'y1', 'y2', 'y3', 'y4', 'y5');
SELECT k FROM t WHERE (a, c) IN ((0, 'a'), (1, 'b'), (2, 'B'), (3, 'ab'), (5, ''), (0, 'é'), (1, 'a'), (2, 'b'), (3, 'B'), (5, 'ab'), (0, ''), (1, 'é'), (2, 'a'), (3, 'b'), (5, 'B'), (0, 'ab'), (1, ''), (2, 'é'));
SELECT k FROM t WHERE k = ANY (ARRAY[1, 2, 3, 8]) AND a = ANY ('{0,1,NULL,5}');
SELECT k FROM t WHERE k <> ALL (ARRAY[1, 2, 3, 8]);
SELECT k, ARRAY[1, 2, NULL] AS numbers, ARRAY['a', 'NULL', NULL, '"', ''] AS texts, ARRAY[[1, 2], [3, 4]] AS nested, ARRAY[1.50, 2] AS numerics, ARRAY[true, false] AS truths, ARRAY['a'::char(3), 'b'] AS padded FROM t;
SELECT k, CASE k WHEN 1 THEN 'one' WHEN 2 THEN 'two' WHEN 3 THEN NULL WHEN 4 THEN 'four' WHEN 5 THEN 'five' WHEN 6 THEN 'six' WHEN 7 THEN 'seven' ELSE c END AS said FROM t;
