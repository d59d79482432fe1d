/** The parts of the command line that need no process. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { copyDirection } from "../../src/cli/copy.ts";
import { cellJson } from "../../src/cli/csv-input.ts";
import { parseExact } from "../../src/cli/exact-json.ts";
import { bytesText, saidBytesText } from "../../src/cli/lists.ts";
import { parquetRows, parquetToNdjson } from "../../src/cli/parquet-input.ts";
import { Remote } from "../../src/cli/remote.ts";
import { Names } from "../../src/cli/shell-names.ts";
import { isComplete } from "../../src/cli/sql-text.ts";
import { csvLine, tableText } from "../../src/cli/tables.ts";
import { textWidth } from "../../src/cli/text-width.ts";
import { Harness } from "../servers/http/harness.ts";

describe("where a statement ends", () => {
  test.each([
    "SELECT 1;",
    "SELECT 1; -- done",
    "SELECT 1; /* done; */ ",
    "SELECT ';' ;",
    "SELECT 'it''s';",
    'SELECT "a;b";',
    "SELECT E'\\';';",
    "SELECT '\\';",
    "SELECT $$;$$;",
    "SELECT $a$ $b$ ; $a$;",
    "SELECT /* /* ; */ ; */ 1;",
    ";",
  ])("%s is complete", (sql) => {
    expect(isComplete(sql)).toBe(true);
  });

  test.each([
    "",
    "SELECT 1",
    "SELECT 1; SELECT",
    "SELECT ';'",
    "SELECT 'a;",
    'SELECT "a;',
    "SELECT E'\\';",
    "SELECT $$;",
    "SELECT $a$;$b$;",
    "SELECT /* ;",
    "SELECT /* /* */ ;",
    "SELECT 1 -- ;",
  ])("%s is not", (sql) => {
    expect(isComplete(sql)).toBe(false);
  });
});

describe("where the data of a COPY is", () => {
  test.each([
    ["COPY t FROM STDIN", "in"],
    ["copy t (a, b)\nfrom stdin (format csv);", "in"],
    ["/* rows */ COPY t FROM -- here\n STDIN", "in"],
    ["COPY t TO STDOUT", "out"],
    ["COPY (SELECT * FROM stdin) TO STDOUT", "out"],
    ["COPY (SELECT (a) FROM (SELECT 1 FROM stdin) s) TO STDOUT (NULL 'from stdin')", "out"],
    ['COPY "from stdin" TO STDOUT', "out"],
    ["COPY t FROM STDIN (NULL ')')", "in"],
    ["SELECT 'COPY t FROM STDIN'", null],
    ["copying", null],
  ])("%s", (text, direction) => {
    expect(copyDirection(text)).toBe(direction);
  });
});

describe("a cell of CSV", () => {
  test.each([
    ["5", "int4", "5"],
    [" 5 ", "int8", "5"],
    ["9223372036854775807", "int8", "9223372036854775807"],
    ["007", "int4", '"007"'],
    ["1.10", "numeric", "1.10"],
    ["NaN", "float8", '"NaN"'],
    ["yes", "bool", "true"],
    ["0", "bool", "false"],
    ["maybe", "bool", '"maybe"'],
    ["5", "text", '"5"'],
    ["5", undefined, '"5"'],
    ['{"a":\n1}', "jsonb", '{"a": 1}'],
    ["{", "jsonb", '"{"'],
    ["2024-01-01", "timestamptz", '"2024-01-01"'],
  ])("%j as %s is %s", (cell, type, json) => {
    expect(cellJson(cell, type, false)).toBe(json);
  });

  test("empty is null, in quotes an empty text", () => {
    expect(cellJson("", "text", false)).toBe("null");
    expect(cellJson("", "text", true)).toBe('""');
    expect(cellJson("", "int4", false)).toBe("null");
  });
});

test("Parquet becomes NDJSON, with its times and whole numbers", async () => {
  const file = join(import.meta.dirname, "../../node_modules/vega-datasets/data/flights-3m.parquet");
  expect(await parquetRows(file, "flights")).toBe(3_000_000);
  let rows = 0;
  const progress = { advance: (_bytes: number, more: number) => void (rows += more), stop() {} };
  for await (const piece of parquetToNdjson(file, "flights", progress)) {
    const lines = new TextDecoder().decode(piece).trimEnd().split("\n");
    expect(rows).toBe(lines.length);
    expect(JSON.parse(lines[0]!)).toEqual({
      date: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      delay: expect.any(Number),
      distance: expect.any(Number),
      origin: expect.stringMatching(/^[A-Z]{3}$/),
      destination: expect.stringMatching(/^[A-Z]{3}$/),
    });
    break;
  }
});

describe("tables", () => {
  const columns = [
    { name: "n", type: "int8" },
    { name: "name", type: "text" },
  ];

  test("numbers to the right, null empty, nothing that draws on the terminal", () => {
    const rows = [
      ["1", "a"],
      ["1000", null],
      [null, "x\ny\u001b[31m"],
    ];
    expect(tableText(columns, rows)).toBe(
      "    n | name\n------+--------------\n    1 | a\n 1000 |\n      | x\\ny\\x1b[31m",
    );
  });

  test.each([
    ["", 0],
    ["abc é ß", 7],
    ["e\u0301", 1],
    ["日本", 4],
    ["ｆｕｌｌ", 8],
    ["한국", 4],
    ["👍🏽", 2],
    ["👩‍👩‍👧", 2],
    ["❤️", 2],
    ["a\u200bb", 2],
    ["→ ж", 3],
  ])("%j takes %d columns", (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  test("wide characters keep the columns in line", () => {
    expect(
      tableText(
        [{ name: "名", type: "text" }, ...columns],
        [
          ["日本", "1", "a"],
          ["x", "2", "b"],
        ],
      ),
    ).toBe(" 名   | n | name\n------+---+------\n 日本 | 1 | a\n x    | 2 | b");
  });

  test("no rows", () => {
    expect(tableText(columns, [])).toBe(" n | name\n---+------");
  });

  test("a separator within a name", () => {
    expect(tableText([{ name: "a|b", type: "text" }], [["x"]]).split("\n")).toHaveLength(3);
  });

  test("CSV", () => {
    expect(csvLine(["a", null, "", 'say "x"', "1,2", "two\nlines"])).toBe(
      'a,,"","say ""x""","1,2","two\nlines"\n',
    );
  });

  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1500, "1.5 kB"],
    [2_500_000, "2.5 MB"],
    [3e15, "3000.0 TB"],
  ])("%d bytes are %s", (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });

  test.each([
    [0, "0 B"],
    [10 * 1024 ** 3, "10 GB"],
    [1536, "1536 B"],
    [2 * 1024 ** 5, "2048 TB"],
  ])("%d bytes were said as %s", (bytes, text) => {
    expect(saidBytesText(bytes)).toBe(text);
  });
});

test("JSON goes in and out with every digit", () => {
  const text = '{"a":9223372036854775807,"b":1.10,"c":[1e3,"x",null,true],"d":-0.5}';
  expect(JSON.stringify(parseExact(text))).toBe(text);
});

test("the shell completes keywords, relations and columns, and describes them", async () => {
  const h = await Harness.start();
  try {
    const names = new Names(new Remote({ url: h.server.url }));
    await names.refresh();
    expect(names.complete("SEL")).toEqual([["SELECT"], "SEL"]);
    expect(names.complete("select * from so")).toEqual([["songs", "songs_view"], "so"]);
    expect(names.complete("select pri")).toEqual([["PRIMARY", "price"], "pri"]);
    expect(names.complete("select ")).toEqual([[], ""]);
    expect(names.describe(undefined)).toContain("plays      | stream");
    expect(names.describe("songs")).toMatch(/ id +\| int4 +\| not null \| key/);
    expect(names.describe("nothing")).toContain("no topic or view");
  } finally {
    await h.stop();
  }
});

test("the shell completes names as they are to be written", async () => {
  const columns = ["order", "Öl", "my_n"].map((name) => ({ name }));
  const lists = { topics: [{ name: 'Odd "table', columns }], views: [] };
  const names = new Names({ get: async () => lists } as unknown as Remote);
  await names.refresh();
  expect(names.complete("select * from od")).toEqual([['"Odd ""table"'], "od"]);
  expect(names.complete('select "my_n" from "Odd')).toEqual([['"Odd ""table"'], '"Odd']);
  expect(names.complete('select "order", "ö')).toEqual([['"Öl"'], '"ö']);
  expect(names.complete('select "order" ')).toEqual([[], ""]);
  // A quote within a text opens no name.
  expect(names.complete("select '\"', ord")).toEqual([['"order"', "ORDER"], "ord"]);
  expect(names.complete("select my")).toEqual([["my_n"], "my"]);
});

test("a COPY out that is broken off says so", async () => {
  const server = createServer((_, answer) => {
    answer.writeHead(200, { "Content-Type": "text/plain" });
    answer.write("1\n", () => answer.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    const remote = new Remote({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    const all = async () => {
      for await (const _ of remote.copyOut("COPY t TO STDOUT", new AbortController().signal));
    };
    await expect(all()).rejects.toMatchObject({
      code: "connection_failed",
      detail: "Not all rows have come.",
    });
  } finally {
    server.close();
  }
});
