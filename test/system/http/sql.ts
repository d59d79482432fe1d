/** Statements, and blocks of them. */
import { expect, it } from "vitest";
import { type Answer, ask, error, ok, position } from "./walk.ts";

const result = (command: string, columns: [string, string][], rows: unknown[][]) => ({
  command,
  columns: columns.map(([name, type]) => ({ name, type })),
  rows,
  rowCount: rows.length,
});

/** What is asked, the status, what the answer's body is like (every member of it). */
type Case = [request: string, content: unknown, status: number, body: unknown];

const sqlCases: Case[] = [
  [
    "SELECT",
    { sql: "SELECT id, name, price FROM item WHERE id < 3 ORDER BY id" },
    200,
    {
      results: [
        result(
          "SELECT 2",
          [
            ["id", "int4"],
            ["name", "text"],
            ["price", "numeric"],
          ],
          [
            [1, "one", 1.5],
            [2, "two", null],
          ],
        ),
      ],
      position,
    },
  ],
  [
    "parameters",
    { sql: "SELECT $1::int4 + 1 AS n, $2::text AS t", params: [4, "x"] },
    200,
    {
      results: [
        result(
          "SELECT 1",
          [
            ["n", "int4"],
            ["t", "text"],
          ],
          [[5, "x"]],
        ),
      ],
      position,
    },
  ],
  [
    "several statements",
    { sql: "SELECT 1 AS a; SELECT 'b' AS b" },
    200,
    {
      results: [result("SELECT 1", [["a", "int4"]], [[1]]), result("SELECT 1", [["b", "text"]], [["b"]])],
      position,
    },
  ],
  ["none", { sql: " -- nothing" }, 200, { results: [], position }],
  [
    "text is PostgreSQL's text output, or null",
    { sql: "SELECT price, id = 1 AS b, NULL AS n, 1e20::float8 AS f FROM item WHERE id = 1", format: "text" },
    200,
    {
      results: [
        result(
          "SELECT 1",
          [
            ["price", "numeric"],
            ["b", "bool"],
            ["n", "text"],
            ["f", "float8"],
          ],
          [["1.50", "t", null, "1e+20"]],
        ),
      ],
      position,
    },
  ],
  [
    "statement k fails: the results before it stand beside the error, with the error's status",
    { sql: "SELECT 1 AS a; SELECT 1/0; SELECT 3" },
    400,
    {
      results: [result("SELECT 1", [["a", "int4"]], [[1]])],
      ...error("division_by_zero", "22012"),
      position,
    },
  ],
  [
    "a constraint",
    { sql: "INSERT INTO item VALUES (1, 'again')" },
    409,
    {
      results: [],
      ...error("unique_violation", "23505", { detail: "Key (id)=(1) already exists." }),
      position,
    },
  ],
  [
    "a syntax error has its place",
    { sql: "SELEC 1" },
    400,
    { results: [], ...error("syntax_error", "42601", { position: 1 }), position },
  ],
  [
    "an unknown table",
    { sql: "SELECT 1 FROM nothing" },
    404,
    { results: [], ...error("undefined_table", "42P01", { position: 15 }), position },
  ],
  [
    "no such member",
    { sql: "SELECT 1", parms: [] },
    400,
    error("invalid_request", "22023", { hint: expect.stringContaining("params") }),
  ],
  ["no JSON", "{", 400, error("invalid_text_representation", "22P02", { detail: expect.any(String) })],
  [
    "atLeast in vain",
    { sql: "SELECT 1", atLeast: "999999", timeoutMs: 20 },
    504,
    error("timeout", "57014", { detail: expect.any(String), hint: expect.any(String) }),
  ],
];

export function sql(): void {
  it.each(sqlCases)("%s", async (_, content, status, body) => {
    const answer = await ask("POST /v1/sql", content);
    expect([answer.status, answer.body]).toEqual([status, body]);
  });

  it("runs a block as one transaction, and nothing of one that fails", async () => {
    const block = await ok("POST /v1/sql", {
      sql: "BEGIN; INSERT INTO item VALUES (20, 'a'); INSERT INTO item VALUES (21, 'b'); COMMIT",
    });
    const tags = (answer: Answer) =>
      (answer.body as { results: { command: string }[] }).results.map((r) => r.command);
    expect(tags(block)).toEqual(["BEGIN", "INSERT 0 1", "INSERT 0 1", "COMMIT"]);
    const failed = await ask("POST /v1/sql", {
      sql: "BEGIN; INSERT INTO item VALUES (22, 'c'); INSERT INTO item VALUES (20, 'd'); COMMIT",
    });
    expect(failed.status).toBe(409);
    const count = await ok("POST /v1/sql", { sql: "SELECT count(*) FROM item WHERE id >= 20" });
    expect(count.body).toMatchObject({ results: [{ rows: [[2]] }] });
    await ok("POST /v1/sql", { sql: "DELETE FROM item WHERE id >= 20" });
  });

  it("waits for atLeast, so that a program reads what it wrote", async () => {
    const { body } = await ok("POST /v1/topics/item/records", { id: 30, name: "thirty" });
    const { position: atLeast } = body as { position: string };
    const read = await ok("POST /v1/sql", { sql: "SELECT name FROM items WHERE id = 30", atLeast });
    expect(read.body).toMatchObject({ results: [{ rows: [["thirty"]] }] });
    expect(Number(read.headers.get("Evert-Position"))).toBeGreaterThanOrEqual(Number(atLeast));
    await ok("DELETE /v1/topics/item/records/30");
  });
}
