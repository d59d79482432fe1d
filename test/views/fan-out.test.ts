/** What watchers are sent of a step that changes many rows of many types is, byte by byte, the naive text of its changes. */
import { expect, it, vi } from "vitest";
import { decodeUtf8 } from "../../src/base/bytes.ts";
import { FrameMaker } from "../../src/views/frame-maker.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const COLUMNS = `k, f, n, small, big, s, e'\\\\"\\n' || s || chr(1 + k % 200) AS escaped, d, at, span, j, list, bytes, yes, who`;

it.each([
  ["at once", 10, false],
  ["at once, in two pieces", 200, false],
  ["in turns of their own", 10, true],
  ["in turns of their own, in many pieces", 6_000, true],
])("frames that are made %s: %i rows", async (_, rows, inTurns) => {
  if (inTurns) vi.spyOn(FrameMaker.prototype, "begin").mockImplementation(() => {});
  const db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE one (id int4 PRIMARY KEY, who text);
     CREATE TABLE t (k int4 PRIMARY KEY, f float8, n numeric, small numeric(12, 3), big int8, s text, d date, at timestamptz, span interval, j jsonb,
                     list numeric[], bytes bytea, yes bool, one int4);
     CREATE MATERIALIZED VIEW v AS SELECT ${COLUMNS} FROM t JOIN one ON id = t.one;
     INSERT INTO one VALUES (1, 'é 日本 "quoted"');
     INSERT INTO t SELECT g,
       CASE g % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN g WHEN 3 THEN g / 7.0 ELSE NULL END::float8,
       CASE g % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN g || '.500' WHEN 2 THEN '-0.000' || g ELSE NULL END::numeric,
       g * -1.25, 9007199254740990 + g, CASE g % 9 WHEN 0 THEN NULL ELSE repeat(chr(300 + g) || '😀', g % 40) END,
       date '1969-12-28' + g, timestamptz '0099-01-01 00:00:00.25+00' + g * interval '1 month', g * interval '1 day 1 second',
       ('{"a": [' || g || '.10, null], "b": {"é": "\\u001f"}}')::jsonb, ARRAY[g, NULL, g / 8.0]::numeric[], decode(lpad(to_hex(g), 8, '0'), 'hex'), g % 3 = 0, 1
     FROM generate_series(1, ${rows}) g`,
  );
  await db.settled();
  const shown = async (): Promise<Map<string, string>> => {
    const { rowsJson } = await db.view("v").rowsJson();
    const found = new Map<string, string>();
    for await (const chunk of rowsJson) for (const row of chunk) found.set(String(JSON.parse(row).k), row);
    return found;
  };
  const before = await shown();
  expect(before.size).toBe(rows);
  let isWatched = false;
  const told = (async (): Promise<string[]> => {
    for await (const event of db.subscribe([{ view: "v" }]))
      if (event.type === "snapshot" && event.last) isWatched = true;
      else if (event.type === "step") return (event.views.get("v") ?? []).map((piece) => decodeUtf8(piece));
    return expect.unreachable();
  })();
  await expect.poll(() => isWatched, { interval: 5 }).toBe(true);
  await sql(db, "UPDATE one SET who = E'\\t\\\\'");
  const pieces = await told;
  const after = await shown();
  const changes = [...after].map(
    ([k, row]) => `{"op":"update","key":${k},"row":${row},"old":${before.get(k)}}`,
  );
  expect(pieces.length > 1).toBe(rows > 100);
  // In which order is the join's affair.
  const found = pieces.join(",").split(/,(?=\{"op":)/);
  expect(found.sort()).toEqual(changes.sort());
  vi.restoreAllMocks();
  await db.close();
});
