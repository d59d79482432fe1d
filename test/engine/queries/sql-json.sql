-- SQL/JSON over rows: constructors, aggregates, queries.

SELECT k, JSON_OBJECT('a': a, 'c' VALUE c ABSENT ON NULL) AS x, JSON_ARRAY(a, c, d NULL ON NULL) AS y, JSON_OBJECT('k': k, 'in': JSON_OBJECT('b': b) RETURNING jsonb) AS z FROM t;
SELECT a, JSON_ARRAYAGG(c ORDER BY k) AS x, JSON_ARRAYAGG(c ORDER BY k DESC NULL ON NULL RETURNING jsonb) AS y, JSON_OBJECTAGG(k: c RETURNING jsonb) FILTER (WHERE k > 2) AS z FROM t GROUP BY a;
SELECT JSON_OBJECTAGG(('k' || k) VALUE d ABSENT ON NULL WITH UNIQUE KEYS RETURNING jsonb) AS x FROM t;
SELECT JSON_OBJECTAGG(a: k WITH UNIQUE KEYS RETURNING jsonb) AS x FROM t WHERE a IS NOT NULL;
SELECT k, JSON_ARRAY(SELECT u.k FROM u WHERE u.a = t.a ORDER BY u.k DESC) AS x, JSON_ARRAY(SELECT u.c FROM u WHERE u.a = t.a ORDER BY u.k RETURNING jsonb) AS y FROM t;
SELECT JSON_ARRAYAGG('[1]' FORMAT JSON) AS x, JSON_ARRAYAGG(JSON_OBJECT('a': a RETURNING jsonb) ORDER BY k) AS y, JSON_ARRAYAGG(k ORDER BY k RETURNING text) || '!' AS z FROM u;
SELECT k, c IS JSON AS x, c IS NOT JSON SCALAR AS y, to_jsonb(c) IS JSON ARRAY AS z FROM t;
SELECT k, JSON_VALUE(to_jsonb(t), '$.a' RETURNING int DEFAULT -1 ON EMPTY) AS a, JSON_VALUE(jsonb_build_object('a', a, 'c', c), '$.c') AS c, JSON_EXISTS(to_jsonb(t), '$ ? (@.a > $n)' PASSING k AS n) AS e FROM t;
SELECT k, JSON_QUERY(jsonb_build_object('l', ARRAY[a, k]), '$.l[*] ? (@ > 1)' WITH WRAPPER) AS l FROM t;
SELECT k, JSON_VALUE(jsonb_build_object('a', a), '$.a' RETURNING text ERROR ON EMPTY ERROR ON ERROR) AS x FROM t;
SELECT JSON_VALUE(x.j, '$.n' RETURNING bigint) AS n, sum(JSON_VALUE(x.j, '$.k' RETURNING numeric)) AS s FROM (SELECT JSON_OBJECT('n': a, 'k': k RETURNING jsonb) AS j FROM t) x GROUP BY 1;
SELECT k, JSON_SCALAR(c) AS x, JSON_SERIALIZE(JSON_ARRAY(a, c)) AS y, JSON('{"a":' || coalesce(a, 0) || '}') AS z FROM t;
