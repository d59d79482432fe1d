-- JSON_TABLE, and functions whose columns the query defines.

SELECT x.* FROM (SELECT jsonb_build_array(jsonb_build_object('a', a, 'b', ARRAY[k, a]), jsonb_build_object('a', c)) AS j FROM t) y, JSON_TABLE(y.j, '$[*]' COLUMNS (id FOR ORDINALITY, a int PATH '$.a' DEFAULT 9 ON ERROR, c text PATH '$.a', b jsonb PATH '$.b', e bool EXISTS PATH '$.b', n int EXISTS PATH '$.b')) x;
SELECT k, x.* FROM (SELECT k, jsonb_build_array(jsonb_build_object('a', a, 'b', ARRAY[k, a]), jsonb_build_object('a', c)) AS j FROM t) y, JSON_TABLE(y.j, '$[*]' COLUMNS (id FOR ORDINALITY, NESTED PATH '$.b[*]' COLUMNS (z int PATH '$', o FOR ORDINALITY))) x;
SELECT k, x.* FROM (SELECT k, jsonb_build_array(jsonb_build_object('a', a, 'b', ARRAY[k, a]), jsonb_build_object('a', c)) AS j FROM t) y, JSON_TABLE(y.j, '$[*]' COLUMNS (id FOR ORDINALITY, NESTED PATH '$.b[*]' COLUMNS (z int PATH '$', o FOR ORDINALITY), a text, NESTED '$.b' AS bb COLUMNS (w jsonb PATH '$'))) x;
SELECT t.k, x.v, x.s FROM t LEFT JOIN JSON_TABLE('[1, 2, null]', '$[*]' PASSING t.a AS a COLUMNS (v int PATH '$', s int PATH '$ + $a')) x ON x.v > t.a;
SELECT * FROM JSON_TABLE('{}', 'strict $[*]' COLUMNS (a int PATH '$'));
SELECT * FROM JSON_TABLE('{"a": 1}', 'strict $[*]' COLUMNS (a int PATH '$') ERROR ON ERROR) x;
SELECT * FROM JSON_TABLE('[{"a b":1}]', '$[*]' COLUMNS ("a b" int)) x (q);
SELECT * FROM JSON_TABLE('[{"a":[1,2]}]', '$[*]' COLUMNS (a int[], "B" text FORMAT JSON PATH '$.a', d text PATH '$.a' WITH WRAPPER, e text EXISTS PATH '$.q')) x;
SELECT x.* FROM t, json_to_record(json_build_object('a', t.a, 'b', ARRAY[t.k, 2], 'c', t.c, 'd', t.d)) AS x (a int, b int[], c text, d numeric(6, 1), e text);
SELECT t.k, x.* FROM t LEFT JOIN jsonb_to_recordset(jsonb_build_array(jsonb_build_object('a', t.a), '{"a": "5", "b": {"z": [1]}}'::jsonb)) AS x (a numeric(5, 2), b jsonb) ON true;
SELECT x.* FROM ROWS FROM (json_to_recordset('[{"a":1},{"a":2}]') AS (a int, b text), generate_series(1, 3)) AS x (p, q, r);
SELECT x.* FROM ROWS FROM (json_to_recordset('[{"a":1}]') AS (a int)) WITH ORDINALITY AS x;
SELECT x.a, count(*) FROM t, jsonb_to_recordset(jsonb_build_array(to_jsonb(t), to_jsonb(t))) AS x (a int, c text) GROUP BY x.a;
SELECT * FROM jsonb_to_recordset('[1]') AS x (a int);
SELECT * FROM json_to_recordset('{"a":1}') AS x (a int);
SELECT * FROM json_to_record('[1]') AS x (a int);
SELECT * FROM json_to_record('{"a":"abcd"}') AS x (a varchar(2));
SELECT * FROM jsonb_to_recordset(NULL) AS x (a int);
