/** The commands that talk to a server, as processes against the fake engine. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { Harness, until } from "../servers/http/harness.ts";
import { removeChecked } from "../support/left-behind.ts";
import { parquetFile } from "./parquet-file.ts";
import { main, type Outcome, Running, run as runProcess } from "./run.ts";

let h: Harness;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "evert-cli-"));
});
afterAll(() => removeChecked(directory));
beforeEach(async () => {
  h = await Harness.start({ heartbeatMs: 50 });
});
afterEach(() => h.stop());

const run = (args: string[], input?: string): Promise<Outcome> =>
  runProcess(args, { url: h.server.url, input: input ?? "" });
const lines = (text: string) => text.split("\n").filter((line) => line !== "");
const song = (id: number, name = `n${id}`) => `${JSON.stringify({ id, name })}\n`;

describe("usage", () => {
  test.each([
    [[], 2],
    [["nothing"], 2],
    [["tail"], 2],
    [["tail", "songs", "--from", "x"], 2],
    [["tail", "songs", "--limit", "x"], 2],
    [["topics", "--format", "xml"], 2],
    [["topics", "--url", "nowhere"], 2],
    [["append", "songs", "--format", "xml"], 2],
    [["start", "--port", "x"], 2],
    [["start", "nothing.ts"], 2],
    [["start", "--page", "nowhere"], 2],
    [["dev", "nothing.ts"], 2],
    [["dev", "--port", "x"], 2],
    [["--help"], 0],
    [["--version"], 0],
  ])("%j ends with %d", async (args, code) => {
    const outcome = await run(args);
    expect(outcome.code).toBe(code);
    if (code === 2) expect(outcome.stdout).toBe("");
    expect(code === 0 ? outcome.stdout : outcome.stderr).not.toBe("");
  });

  test("an address is named after where it was said, and a variable set to nothing says nothing", async () => {
    const told = (url: string, args: string[] = []) => runProcess(["topics", ...args], { url });
    expect((await told("nowhere")).stderr).toBe("error: EVERT_URL is not an http address: nowhere\n");
    expect((await told("", ["--url", "there"])).stderr).toBe("error: --url is not an http address: there\n");
    expect((await told("", ["--url", h.server.url])).code).toBe(0);
    // The default's port may be anybody's on this machine: it is not refused as none, whatever is there.
    expect((await told("")).code).not.toBe(2);
  });

  test("an address without http:// is told with it, and one of TLS where there is none as what it is", async () => {
    const told = (url: string) => runProcess(["topics", "--url", url]);
    const { host } = new URL(h.server.url);
    expect(await told(host)).toMatchObject({
      code: 2,
      stderr: `error: --url is not an http address: ${host} (http://${host}?)\n`,
    });
    expect((await told("http://127.0.0.1:99999")).code).toBe(2);
    const secret = await told(`https://${host}`);
    expect(secret.code).toBe(1);
    expect(secret.stderr).toContain("detail: What answers there does not speak TLS.\nhint: ");
    expect(secret.stderr).toContain("use http://");
    expect((await told(`${h.server.url}/v1`)).stderr).toContain("without /v1");
  });

  test("a page of somebody else is taken for no answer", async () => {
    const page = createServer((_, answer) => {
      answer.writeHead(200, { "Content-Type": "text/html" }).end("<html>log in</html>\n");
    });
    await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
    for (const args of [
      ["tail", "songs"],
      ["watch", "charts"],
      ["query", "COPY songs TO STDOUT"],
      ["topics"],
    ]) {
      const told = await runProcess(args, { url });
      expect(told).toMatchObject({ code: 1, stdout: "" });
      expect(told.stderr).toMatch(/^error: .* answered with .*\(protocol_violation, /);
      expect(told.stderr).toContain("\nhint: Is this the address of an evert server?");
    }
    await new Promise((resolve) => page.close(resolve));
  });

  test("a token that no header can carry is refused by every command, and not shown", async () => {
    for (const args of [["topics"], ["query", "SELECT 1"], ["append", "songs"]]) {
      const told = await runProcess(args, { url: h.server.url, env: { EVERT_TOKEN: "secret\n" } });
      expect(told).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^error: EVERT_TOKEN: the token cannot be sent\./),
      });
      expect(told.stderr).not.toContain("secret");
    }
    expect((await runProcess(["topics"], { url: h.server.url, env: { EVERT_TOKEN: "" } })).code).toBe(0);
  });

  test("wrong usage points to the help of the command that was meant", async () => {
    expect((await run(["tail"])).stderr).toContain("(evert tail --help says what there is)");
    expect((await run(["view", "nothing"])).stderr).toContain("(evert view --help says what there is)");
    expect((await run(["nothing"])).stderr).toContain("(evert --help says what there is)");
  });

  test("SQL without quotes, and psql's commands, are told what to write instead", async () => {
    const bare = await run(["query", "SELECT", "1"]);
    expect(bare).toMatchObject({ code: 2, stderr: expect.stringContaining("put it in quotes") });
    const psql = await run(["query", "\\d"]);
    expect(psql).toMatchObject({ code: 2, stderr: expect.stringContaining("evert topics") });
  });

  test("a file that cannot be read is named", async () => {
    const { code, stderr } = await run(["view", "build", "charts", "-f", "no-such.sql"]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: cannot read no-such\.sql \(io_error, 58030\)\ndetail: ENOENT/),
    ]);
  });

  test.runIf(existsSync("/dev/full"))("output that cannot be written is an error with a reason", async () => {
    const full = openSync("/dev/full", "w");
    const env = { ...process.env, EVERT_URL: h.server.url, NO_COLOR: "1" };
    const child = spawn(process.execPath, [main, "topics"], { env, stdio: ["ignore", full, "pipe"] });
    closeSync(full);
    const [stderr, [code]] = await Promise.all([textOf(child.stderr!), once(child, "close")]);
    expect([code, stderr]).toEqual([
      1,
      "error: cannot write to standard output (io_error, 58030)\ndetail: ENOSPC: no space left on device, write\n",
    ]);
  });

  test("no server: 1, with why and what to do", async () => {
    const { url } = h.server;
    await h.server.close();
    const { code, stderr } = await runProcess(["topics"], { url });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: .* cannot be reached \(connection_failed, 08006\)\ndetail: .*\nhint: /);
  });
});

describe("append and tail", () => {
  test("NDJSON through a pipe; prints the position", async () => {
    expect(await run(["append", "songs"], song(1) + song(2))).toEqual({ code: 0, stdout: "1\n", stderr: "" });
    const { code, stdout } = await run(["tail", "songs"]);
    expect(code).toBe(0);
    expect(lines(stdout).map((line) => JSON.parse(line).value.id)).toEqual([1, 2]);
  });

  test("nothing to append prints no position", async () => {
    expect(await run(["append", "songs"], "")).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("a bad record: 1, its line, and how far it came", async () => {
    const { code, stdout, stderr } = await run(
      ["append", "songs"],
      `${song(1)}${song(2)}{"id":"x","name":"y"}\n`,
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: line 3: id: .*\n.*Committed before that: 2, up to position 1\./);
  });

  test("a refusal stops a sender that would go on for ever", async () => {
    const running = new Running(["append", "songs"], { url: h.server.url });
    running.process.stdin!.write(`nonsense\n${song(1)}`);
    expect(await running.done).toMatchObject({ code: 1, stderr: expect.stringContaining("line 1") });
  });

  test("what comes in by a slow pipe is committed without waiting for its end", async () => {
    const running = new Running(["append", "songs"], { url: h.server.url });
    running.process.stdin!.write(song(1));
    await until(() => h.engine.position === "1");
    running.process.stdin!.end(song(2));
    expect(await running.done).toMatchObject({ code: 0, stdout: "2\n" });
  });

  test("an unknown topic", async () => {
    for (const args of [
      ["append", "nothing"],
      ["tail", "nothing"],
    ]) {
      expect(await run(args, song(1))).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("undefined_table"),
      });
    }
  });

  test("JSON and CSV files", async () => {
    const json = join(directory, "songs.json");
    await writeFile(
      json,
      JSON.stringify([
        { id: 1, name: "a" },
        { id: 2, name: "b" },
      ]),
    );
    expect(await run(["append", "songs", json])).toMatchObject({ code: 0, stdout: "1\n" });
    const csv = join(directory, "wide.csv");
    await writeFile(
      csv,
      '\ufeffb,a,n,x,ok\r\n"two\nlines",9223372036854775807,1.10,1e3,t\r\n"",2,,,\r\n"q""q",3,4,5,false\r\n',
    );
    expect(await run(["append", "wide", csv])).toMatchObject({ code: 0, stdout: "2\n" });
    const { stdout } = await run(["tail", "wide"]);
    expect(lines(stdout).map((line) => line.slice(line.indexOf('"value":') + 8, -1))).toEqual([
      '{"a":9223372036854775807,"b":"two\\nlines","n":1.10,"x":1000,"ok":true}',
      '{"a":2,"b":"","n":null,"x":null,"ok":null}',
      '{"a":3,"b":"q\\"q","n":4,"x":5,"ok":false}',
    ]);
  });

  test("a bad cell of CSV is named by its line and column", async () => {
    const csv = join(directory, "bad.csv");
    await writeFile(csv, 'id,name\n1,"a\nb"\nx,c\n');
    expect(await run(["append", "songs", csv])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/line 4: id: /),
    });
    await writeFile(csv, 'id,name\n1,a\n2,b"c\n');
    expect(await run(["append", "songs", csv])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^error: line 3: the CSV cannot be read \(invalid_text_representation, 22P02\)/,
      ),
    });
    await writeFile(csv, 'id,name\n1,"a\n');
    expect(await run(["append", "songs", csv])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("CSV"),
    });
    // The header names the column, whichever record shows it.
    for (const text of ["id,nam\n1,a\n", "id,nam\n\n\n1,a\n"]) {
      await writeFile(csv, text);
      expect(await run(["append", "songs", csv])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/line 1: \.?nam\b/),
      });
    }
  });

  test("what was stored before a line of CSV that cannot be read is told", async () => {
    const csv = join(directory, "ragged.csv");
    await writeFile(csv, "id,name\n1,a\n2,b,c\n");
    expect(await run(["append", "songs", csv])).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(
        /^error: line 3: .*\ndetail: .*(Committed before that: 1|Nothing was committed)/,
      ),
    });
    await writeFile(csv, "id,name,id\n1,a,2\n");
    expect(await run(["append", "songs", csv])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: line 1: .*"id".*\ndetail: Nothing was committed\./),
    });
  });

  const parquet = parquetFile([
    { name: "id", values: [1, 2] },
    { name: "name", values: ["n1", "n2"] },
  ]);
  test.each([
    ["NDJSON", song(1) + song(2)],
    ["a JSON array", ` [${song(1)},${song(2)}]`],
    ["CSV", "id,name\n1,n1\n2,n2\n"],
    ["CSV with quotes", '"name","id"\r\nn1,1\r\nn2,2\r\n'],
    ["TSV", "id\tname\n1\tn1\n2\tn2\n"],
    ["Parquet", parquet],
  ])("%s is known by its beginning, from a pipe, a file of any name and -", async (_name, input) => {
    const file = join(directory, "unnamed");
    await writeFile(file, input);
    for (const [args, stdin] of [
      [["append", "songs"], input],
      [["append", "songs", "-"], input],
      [["append", "songs", file], ""],
    ] as const) {
      const before = h.engine.position;
      expect(await runProcess(args, { url: h.server.url, input: stdin })).toEqual({
        code: 0,
        stdout: `${Number(before) + 1}\n`,
        stderr: "",
      });
    }
    const rows = lines((await run(["tail", "songs"])).stdout).map((line) => JSON.parse(line).value);
    expect(rows).toHaveLength(6);
    expect(rows.slice(4)).toMatchObject([
      { id: 1, name: "n1" },
      { id: 2, name: "n2" },
    ]);
  });

  test.each<[what: string, bytes: Buffer, detail: string]>([
    ["an empty file", Buffer.alloc(0), "It is empty."],
    ["something else", Buffer.from("id,name\n1,a\n"), "It does not begin with PAR1."],
    ["a beginning alone", Buffer.from("PAR1"), "It does not end with PAR1: its end is missing."],
    [
      "half a file",
      parquet.subarray(0, parquet.length / 2),
      "It does not end with PAR1: its end is missing.",
    ],
    [
      "an end that makes no sense",
      Buffer.concat([
        Buffer.from("PAR1"),
        Buffer.alloc(40, 0xff),
        Buffer.from([40, 0, 0, 0]),
        Buffer.from("PAR1"),
      ]),
      "What it says at its end about its rows cannot be read: ",
    ],
    [
      "rows that make no sense",
      Buffer.concat([Buffer.from("PAR1"), Buffer.alloc(40, 0xff), parquet.subarray(44)]),
      "Rows 1 to 2 cannot be read: ",
    ],
  ])("Parquet that is none: %s", async (_what, bytes, detail) => {
    const file = join(directory, "none.parquet");
    await writeFile(file, bytes);
    const before = h.engine.position;
    for (const [args, input, name] of [
      [["append", "songs", "--format", "parquet"], bytes, "standard input"],
      [["append", "songs", file], "", file],
    ] as const) {
      const { code, stderr } = await runProcess(args, { url: h.server.url, input });
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/^error: .* cannot be read as Parquet .*\ndetail: /),
      });
      expect(stderr).toContain(`error: ${name} cannot`);
      expect(stderr).toContain(detail);
    }
    expect(h.engine.position).toBe(before);
  });

  test("a file that is not there", async () => {
    expect(await run(["append", "songs", join(directory, "gone.ndjson")])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("gone.ndjson"),
    });
    expect(await run(["append", "songs", join(directory, "gone.parquet")])).toMatchObject({ code: 1 });
    expect(await run(["append", "songs", join(directory, "gone.unknown")])).toMatchObject({ code: 1 });
    expect(await run(["append", "songs", directory])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("directory"),
    });
  });

  test("from and limit", async () => {
    await run(["append", "songs"], [1, 2, 3, 4].map((id) => song(id)).join(""));
    const ids = async (...args: string[]) =>
      lines((await run(["tail", "songs", ...args])).stdout).map((line) => JSON.parse(line).offset);
    expect(await ids("--from", "2")).toEqual([2, 3]);
    expect(await ids("--from", "earliest", "--limit", "1")).toEqual([0]);
    expect(await ids("--from", "latest")).toEqual([]);
    expect(await ids("--from", "9999d")).toEqual([0, 1, 2, 3]);
    expect(await ids("--from", "999999999d")).toEqual([0, 1, 2, 3]);
    expect(await ids("--from", "2999-01-01T00:00:00Z")).toEqual([]);
    expect(await run(["tail", "songs", "--from", "yesterday"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("a time"),
    });
    expect(await ids("--follow", "--limit", "4")).toEqual([0, 1, 2, 3]);
  });

  test("follow prints what comes, and is quiet when its reader goes", async () => {
    const running = new Running(["tail", "songs", "--follow"], { url: h.server.url });
    await run(["append", "songs"], song(1));
    await running.until(() => lines(running.stdout).length === 1);
    await run(["append", "songs"], song(2));
    await running.until(() => lines(running.stdout).length === 2);
    running.process.stdout!.destroy();
    await run(["append", "songs"], song(3));
    expect(await running.done).toMatchObject({ code: 0, stderr: "" });
  });

  test("follow says so when the server stops", async () => {
    const running = new Running(["tail", "songs", "--follow"], { url: h.server.url });
    await h.song(1, "a");
    await running.until(() => running.stdout !== "");
    await h.server.close();
    expect(await running.done).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("1 record was printed"),
    });
  });
});

describe("query", () => {
  test("a table, by default", async () => {
    expect(await run(["query", "SELECT [1];SELECT [23]"])).toEqual({
      code: 0,
      stdout: " ?column?\n----------\n        1\n(1 row)\n ?column?\n----------\n       23\n(1 row)\n",
      stderr: "",
    });
  });

  test.each([
    ["json", '[{"?column?":9223372036854775807}]\n'],
    ["ndjson", '{"?column?":9223372036854775807}\n'],
    ["csv", "?column?\n9223372036854775807\n"],
  ])("%s keeps every digit", async (format, stdout) => {
    const sql = format === "csv" ? 'SELECT ["9223372036854775807"]' : "SELECT [9223372036854775807]";
    expect(await run(["query", sql, "--format", format])).toMatchObject({ code: 0, stdout });
  });

  test("SQL from a pipe", async () => {
    expect(await run(["query", "--format", "ndjson"], "SELECT [1]")).toMatchObject({
      code: 0,
      stdout: '{"?column?":1}\n',
    });
  });

  test("COPY: rows from standard input, and to standard output", async () => {
    expect(await run(["query", "copy t FROM STDIN"], "1\n2\n3\n")).toEqual({
      code: 0,
      stdout: "COPY 3\n",
      stderr: "",
    });
    expect(await run(["query", "COPY t TO STDOUT"])).toMatchObject({ code: 0, stdout: "COPY t TO STDOUT\n" });
    expect(await run(["query"], "COPY t TO STDOUT")).toMatchObject({ code: 0, stdout: "COPY t TO STDOUT\n" });
  });

  test("a statement that fails: the results before it, then the error and its place", async () => {
    const { code, stdout, stderr } = await run(["query", "SELECT [1];FAIL", "--format", "ndjson"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '{"?column?":1}\n' });
    expect(stderr).toBe(
      'error: relation "x" does not exist (undefined_table, 42P01)\nLINE 1: SELECT [1];FAIL\n        ^\n',
    );
  });

  test("a table of many rows", async () => {
    const { code, stdout, stderr } = await run(["query", "BIG 200000"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(lines(stdout)).toHaveLength(200_003);
  });

  test("many rows through a pipe that closes early", async () => {
    const running = new Running(["query", "BIG 200000", "--format", "ndjson"], { url: h.server.url });
    await running.until(() => running.stdout !== "");
    running.process.stdout!.destroy();
    expect(await running.done).toMatchObject({ code: 0, stderr: "" });
  });
});

test("erase says up to where, and which topics have a history of their own", async () => {
  expect(await run(["erase", "songs", "1"])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /^erased up to position \d+\nviews over it are appended to sunk, which has a history of its own\n$/,
    ),
  });
  expect((await run(["erase", "songs"])).code).toBe(2);
});

describe("topics and views", () => {
  test("as tables and as JSON", async () => {
    await h.song(1, "a");
    const topics = await run(["topics"]);
    expect(topics).toMatchObject({ code: 0, stderr: "" });
    expect(topics.stdout).toMatch(
      /^ topic .*\n-+\+.*\n songs \| table {2}\| id .* 1 \| {5}0 \| all {3}\| {4}1 \|/,
    );
    expect(JSON.parse((await run(["topics", "--format", "json"])).stdout)).toHaveLength(3);
    const schema = await run(["schema", "songs"]);
    expect(schema.stdout).toMatch(/^ version \| position \| time \| columns .*\| changes\n-.*\n +1 \|/);
    expect(JSON.parse((await run(["schema", "songs", "--format", "json"])).stdout)).toMatchObject([
      { version: 1, position: null, changes: [] },
    ]);
    expect((await run(["schema", "nothing"])).code).toBe(1);
    const views = (await run(["views"])).stdout;
    expect(views).toMatch(/^ view .* \| bytes \| on disk \| lag \| progress \| errors\n/);
    expect(views).toContain("songs_view | live");
    expect(views).toContain(" 100 % |");
    expect(JSON.parse((await run(["views", "--format", "json"])).stdout)).toHaveLength(2);
  });

  test("drop", async () => {
    expect(await run(["view", "drop", "wide_view"])).toEqual({ code: 0, stdout: "1\n", stderr: "" });
    expect(await run(["view", "drop", "wide_view"])).toMatchObject({ code: 1 });
  });
});

describe("watch", () => {
  test("the rows, then the changes, a line each", async () => {
    await h.song(1, "a");
    const running = new Running(["watch", "songs_view"], { url: h.server.url });
    await running.until(() => lines(running.stdout).length === 1);
    await h.song(1, "b");
    await running.until(() => lines(running.stdout).length === 2);
    expect(lines(running.stdout).map((line) => JSON.parse(line))).toEqual([
      { position: "1", op: "insert", key: 1, row: { id: 1, name: "a", price: null } },
      {
        position: "2",
        op: "update",
        key: 1,
        row: { id: 1, name: "b", price: null },
        old: { id: 1, name: "a", price: null },
      },
    ]);
    running.process.stdout!.destroy();
    await h.song(1, "c");
    expect(await running.done).toMatchObject({ code: 0, stderr: "" });
  });

  test("one key, and errors of the view", async () => {
    const running = new Running(["watch", "songs_view", "7"], { url: h.server.url });
    await until(() => h.engine.subscribers === 1);
    await h.song(1, "no");
    await h.song(7, "yes");
    await running.until(() => lines(running.stdout).length === 1);
    expect(JSON.parse(running.stdout)).toMatchObject({ op: "insert", key: 7 });
    h.engine.fail("songs_view", new EvertError("division_by_zero", "division by zero"));
    await running.until(() => lines(running.stdout).length === 2);
    expect(JSON.parse(lines(running.stdout)[1]!)).toMatchObject({
      op: "error",
      error: { code: "division_by_zero" },
    });
    running.process.kill("SIGKILL");
    await running.done;
  });

  test("resumes after the connection is lost, without gap or repetition", async () => {
    await h.song(1, "a");
    const running = new Running(["watch", "songs_view"], { url: h.server.url });
    await running.until(() => lines(running.stdout).length === 1);
    // Its stream says goodbye; the same engine is served again on the same port.
    const { port } = h.server;
    await h.server.close();
    await h.engine.append("songs", [{ id: 2, name: "meanwhile" }]);
    const { createHttpServer } = await import("../../src/servers/http/server.ts");
    // Its last words are no error of the command, and however often it tries, it says so once.
    await running.until(() => running.stderr !== "");
    const refused = createServer((_, answer) => answer.destroy());
    let tries = 0;
    refused.on("connection", () => tries++);
    await new Promise<void>((resolve) => refused.listen(port, "127.0.0.1", resolve));
    await until(() => tries > 1);
    await new Promise((resolve) => refused.close(resolve));
    const again = await createHttpServer(h.engine, { port });
    await running.until(() => lines(running.stdout).length === 2);
    expect(running.stderr).toBe("the connection ended; connecting again\n");
    expect(JSON.parse(lines(running.stdout)[1]!)).toMatchObject({ position: "2", op: "insert", key: 2 });
    running.process.kill("SIGKILL");
    await running.done;
    await again.close();
  });

  test("an unknown view", async () => {
    expect(await run(["watch", "nothing"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("undefined_table"),
    });
  });
});
