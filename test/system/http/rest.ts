/** What stands beside all that: health and figures, COPY, long answers, what is refused. */
import { expect, it } from "vitest";
import { ask, error, ndjson, ok, position, type RequestOptions, server } from "./walk.ts";

export function theRest(): void {
  it("health, readiness, figures, the document", async () => {
    for (const prefix of ["/v1", ""]) {
      expect((await ok(`GET ${prefix}/health`)).body).toEqual({ status: "ok", position });
      expect((await ok(`GET ${prefix}/ready`)).body).toEqual({ ready: true, progress: 1, position });
      expect((await ok(`GET ${prefix}/metrics`)).text).toMatch(/^# (HELP|TYPE) evert_/m);
    }
    expect((await ok("GET /v1/openapi.json")).body).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\./),
    });
  });

  it("POST /copy takes rows in and gives them out", async () => {
    await ok("POST /v1/sql", { sql: "CREATE TABLE copied (a int PRIMARY KEY, b text)" });
    const copy = (statement: string, content?: string, options?: RequestOptions) =>
      ask(`POST /v1/copy?statement=${encodeURIComponent(statement)}`, content, options);
    const csv = { type: "text/csv" };
    const stored = await copy(
      "COPY copied FROM STDIN WITH (FORMAT csv, HEADER)",
      'a,b\n1,one\n2,"t, wo"\n',
      csv,
    );
    expect([stored.status, stored.body]).toEqual([200, { command: "COPY 2", rowCount: 2, position }]);
    expect((await copy("COPY copied TO STDOUT")).text).toBe("1\tone\n2\tt, wo\n");
    expect((await copy("COPY (SELECT b FROM copied WHERE a = 2) TO STDOUT WITH (FORMAT csv)")).text).toBe(
      '"t, wo"\n',
    );
    expect(await copy("COPY copied FROM STDIN", "3\tthree\nx\tno\n", csv)).toMatchObject({
      status: 400,
      body: error("invalid_text_representation", "22P02", { detail: expect.stringContaining("line 2") }),
    });
    expect((await copy("COPY copied FROM STDIN", "1\tagain\n", csv)).status).toBe(409);
    expect((await copy("COPY copied FROM STDIN", "4\tfour\n", { type: "text/plain" })).status).toBe(400);
    expect((await copy("SELECT 1")).status).toBe(400);
    expect((await ok("POST /v1/sql", { sql: "SELECT a FROM copied" })).body).toMatchObject({
      results: [{ rows: [[1], [2]] }],
    });
  });

  it("POST /sql gives any number of rows, as JSON and as lines", async () => {
    const series = "SELECT i, 'row ' || i AS s FROM generate_series(1, 30000) i";
    const { results } = (await ok("POST /v1/sql", { sql: `SELECT 1; ${series}` })).body as {
      results: { command: string; rows: unknown[]; rowCount: number }[];
    };
    expect(results.map((r) => [r.command, r.rows.length, r.rowCount])).toEqual([
      ["SELECT 1", 1, 1],
      ["SELECT 30000", 30_000, 30_000],
    ]);
    const answer = await ok("POST /v1/sql", { sql: series }, { accept: ndjson });
    expect(answer.headers.get("Content-Type")).toBe(ndjson);
    const rows = answer.text.split("\n");
    expect([rows.length, rows[0], rows[29_999], rows[30_000]]).toEqual([
      30_001,
      '{"i":1,"s":"row 1"}',
      '{"i":30000,"s":"row 30000"}',
      "",
    ]);
    const lines = async (sql: string, more = {}) =>
      ask("POST /v1/sql", { sql, ...more }, { accept: `${ndjson}, */*;q=0.1` });
    expect((await lines("SELECT 1 AS a WHERE false")).text).toBe("");
    expect((await lines("VALUES (1), (2)")).text).toBe('{"column1":1}\n{"column1":2}\n');
    expect((await lines("SHOW server_version")).text).toMatch(/^\{"server_version":.*\}\n$/);
    for (const [sql, more] of [["SELECT 1; SELECT 2"], ["SELECT 1", { format: "text" }]] as const)
      expect((await lines(sql, more)).status).toBe(400);
    expect(await lines("SELECT 1/0")).toMatchObject({
      status: 400,
      body: error("division_by_zero", "22012"),
    });
  });

  it("what is not there says so", async () => {
    const response = await fetch(`${server.url}/v1/nothing`);
    expect([response.status, await response.json()]).toEqual([
      404,
      error("not_found", "02000", { hint: expect.any(String) }),
    ]);
  });

  it("a page of another site may not write, another name is not answered to", async () => {
    const crossSite = await ask(
      "POST /v1/sql",
      { sql: "SELECT 1" },
      { headers: { "Sec-Fetch-Site": "cross-site" } },
    );
    expect([crossSite.status, crossSite.body]).toEqual([403, error("forbidden", "42501")]);
  });
}
