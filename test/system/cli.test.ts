/** The command line as the interface page has it: each command as a process, against a real server. */
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Outcome, Running, run } from "../cli/run.ts";
import { TestServer } from "./server.ts";

const command = join(import.meta.dirname, "../../bin/evert.js");

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start(join(import.meta.dirname, "app.ts"));
});
afterAll(async () => expect(await server.stop("SIGINT")).toBe(0));

const evert = (args: readonly string[], input?: string): Promise<Outcome> =>
  run(args, { url: server.url, input: input ?? "", main: command });

/** A line for the shell, in which `evert` is the command and $URL is set. */
function shell(line: string): Promise<Outcome> {
  const env = { ...process.env, EVERT_URL: server.url, NO_COLOR: "1" };
  const script = `evert() { "${process.execPath}" "${command}" "$@"; }; ${line}`;
  const child = spawn("bash", ["-c", script], { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const song = (id: number) => `{"id":${id},"artist":"a${id}","name":"n${id}","genre":"g"}\n`;
const position = /^\d+\n$/;

it("query prints any number of rows, and stops when nobody reads them", async () => {
  const million = "SELECT i, i AS j FROM generate_series(1, 1000001) i";
  const counted = await shell(`evert query "${million}" --format csv | tail -n 1`);
  expect(counted).toEqual({ code: 0, stdout: "1000001,1000001\n", stderr: "" });
  const seen = await shell(`evert query "${million}" | head -n 3; echo "\${PIPESTATUS[0]}"`);
  // The first thousand rows give the columns their width.
  expect(seen).toEqual({ code: 0, stdout: "    i |    j\n------+------\n    1 |    1\n0\n", stderr: "" });
  const wide = await evert([
    "query",
    "SELECT CASE WHEN i > 1000 THEN 'wider' ELSE 'x' END AS s FROM generate_series(1, 1001) i",
  ]);
  const lines = wide.stdout.split("\n");
  expect([lines[0], lines[1], lines[2], lines[1002], lines[1003]]).toEqual([
    " s",
    "---",
    " x",
    " wider",
    "(1001 rows)",
  ]);
});

describe("a table of commands", () => {
  // In order: each one stands on those before it.
  const cases: [
    args: string[],
    input: string,
    code: number,
    stdout: string | RegExp,
    stderr: string | RegExp,
  ][] = [
    [["append", "songs"], song(1) + song(2) + song(3), 0, position, ""],
    [
      ["append", "plays"],
      '{"song_id":1,"duration":60000}\n{"song_id":1,"duration":60000}\n{"song_id":2,"duration":60000}\n',
      0,
      position,
      "",
    ],
    [["append", "plays", "-", "--format", "csv"], "song_id,duration\n2,1\n", 0, position, ""],
    [
      ["append", "plays"],
      '{"song_id":"x"}\n',
      1,
      "",
      /^error: line 1: song_id: .*\ndetail: Nothing was committed\.\n/,
    ],
    [["append", "nothing"], "{}", 1, "", /undefined_table, 42P01/],
    [
      ["tail", "plays", "--from", "1", "--limit", "1"],
      "",
      0,
      /^\{"offset":1,"position":"\d+","timestamp":"[^"]+","value":\{"song_id":1,"duration":60000\}\}\n$/,
      "",
    ],
    [["tail", "plays", "--from", "latest"], "", 0, "", ""],
    [["tail", "plays", "--from", "earliest"], "", 0, /^(\{.*\}\n){4}$/, ""],
    [["tail", "plays", "--from", "nowhere"], "", 2, "", /--from/],
    [
      ["query", "SELECT id, plays FROM charts ORDER BY id"],
      "",
      0,
      " id | plays\n----+-------\n  1 |     2\n  2 |     1\n(2 rows)\n",
      "",
    ],
    [
      ["query", "SELECT id, plays FROM charts ORDER BY id", "--format", "json"],
      "",
      0,
      '[{"id":1,"plays":2},\n {"id":2,"plays":1}]\n',
      "",
    ],
    [
      ["query", "SELECT id, plays FROM charts ORDER BY id", "--format", "ndjson"],
      "",
      0,
      '{"id":1,"plays":2}\n{"id":2,"plays":1}\n',
      "",
    ],
    [
      ["query", "SELECT id, plays FROM charts ORDER BY id", "--format", "csv"],
      "",
      0,
      "id,plays\n1,2\n2,1\n",
      "",
    ],
    [["query"], "SELECT 1 AS one", 0, " one\n-----\n   1\n(1 row)\n", ""],
    [
      ["query", "SELECT nothing FROM songs"],
      "",
      1,
      "",
      /^error: column "nothing" does not exist \(undefined_column, 42703\)\n/,
    ],
    [["query", "SELECT 1", "--format", "xml"], "", 2, "", /--format/],
    [["topics"], "", 0, /^ topic +\| kind +\| key +\| columns.*\| rows +\| bytes +\| on disk\n/, ""],
    [
      ["views"],
      "",
      0,
      /^ view +\| status +\| key .*\| rows +\| +bytes +\| on disk +\| lag +\| progress +\| errors\n/,
      "",
    ],
    [["view", "drop", "nothing"], "", 1, "", /undefined_table/],
    [["view", "build", "charts", "-f", "-"], "SELECT id, plays FROM play_counts;\n", 0, "charts@2\n", ""],
    [
      ["view", "versions", "charts"],
      "",
      0,
      / 1 \| current +\| live +\| id int8, .*\n +2 \| +\| live +\| id int8, plays int8 /,
      "",
    ],
    [
      ["view", "diff", "charts", "1", "2"],
      "",
      1,
      /^columns only in version 1: name\nthe rows are the same at position \d+\n$/,
      "",
    ],
    [["view", "diff", "charts", "2", "2"], "", 0, /^the rows are the same at position \d+\n$/, ""],
    [["view", "promote", "charts"], "", 2, "", /which version\?/],
    [["view", "promote", "charts@9"], "", 1, "", /undefined_table/],
    [["view", "promote", "charts@2"], "", 0, position, ""],
    [["query", "SELECT * FROM charts ORDER BY id", "--format", "csv"], "", 0, "id,plays\n1,2\n2,1\n", ""],
    [["view", "drop", "charts@2"], "", 1, "", /dependent_objects/],
    [["view", "rollback", "charts"], "", 0, "version 1\n", ""],
    [["view", "drop", "charts@2"], "", 0, position, ""],
    [["view", "rollback", "charts"], "", 1, "", /no version to go back to/],
    [["view", "build", "charts", "-f", "app.ts"], "", 2, "", /a version in TypeScript is a view of the app/],
    [["view", "build", "charts"], "", 2, "", /give the SELECT/],
    [
      ["start", "--data", "/proc/x", "--port", "0"],
      "",
      1,
      "",
      /^error: cannot make \/proc\/x: EACCES .*\ndetail: Nothing may be written there\.\nhint: /,
    ],
    [["nothing"], "", 2, "", /unknown command/],
    [["--help"], "", 0, /^Usage: evert /, ""],
  ];

  it.each(cases)("evert %j", async (args, input, code, stdout, stderr) => {
    const outcome = await evert(args, input);
    expect(outcome, outcome.stderr).toEqual({
      code,
      stdout: typeof stdout === "string" ? stdout : expect.stringMatching(stdout),
      stderr: typeof stderr === "string" ? stderr : expect.stringMatching(stderr),
    });
  });
});

it("a second server on the same data directory is refused", async () => {
  const { code, stderr } = await evert(["start", "--data", server.data, "--port", "0"]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/directory_locked/) });
});

it("check refuses what a server has open", async () => {
  const { code, stderr } = await evert(["check", "--data", server.data]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/directory_locked/) });
});

it("append takes a file", async () => {
  const file = join(server.data, "..", "more.ndjson");
  await writeFile(file, '{"song_id":3,"duration":1}\n');
  expect(await evert(["append", "plays", file])).toEqual({
    code: 0,
    stdout: expect.stringMatching(position),
    stderr: "",
  });
  expect(await readFile(file, "utf8")).toContain("song_id");
});

it("watch shows the view, then its changes", async () => {
  const watching = new Running(["watch", "play_counts", "2"], { url: server.url, main: command });
  await watching.until(() => watching.stdout.includes("\n"));
  await evert(["append", "plays"], '{"song_id":2,"duration":60000}\n');
  await watching.until(() => watching.stdout.split("\n").length === 3);
  const lines = watching.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(lines).toEqual([
    { position: expect.any(String), op: "insert", key: 2, row: { id: 2, plays: 1 } },
    {
      position: expect.any(String),
      op: "update",
      key: 2,
      row: { id: 2, plays: 2 },
      old: { id: 2, plays: 1 },
    },
  ]);
  watching.process.kill("SIGTERM");
  await watching.done;
});

describe("they compose", () => {
  it("tail | append", async () => {
    await evert(["query", "CREATE TABLE enriched (id int8, name text) WITH (append_only)"]);
    const line = `evert tail songs | sed 's/.*"id":\\([0-9]*\\).*/{"id":\\1,"name":"x"}/' | evert append enriched`;
    expect(await shell(line)).toEqual({ code: 0, stdout: expect.stringMatching(position), stderr: "" });
    expect((await evert(["query", "SELECT count(*) FROM enriched", "--format", "csv"])).stdout).toBe(
      "count\n3\n",
    );
  });

  it.runIf(process.platform === "linux").each(["watch play_counts", "tail plays --follow"])(
    "%s ends when its reader is gone, though nothing changes",
    async (args) => {
      const outcome = await shell(`evert ${args} | head -1; echo "\${PIPESTATUS[0]}"`);
      expect(outcome).toEqual({ code: 0, stdout: expect.stringMatching(/^\{.*\}\n0\n$/), stderr: "" });
    },
  );
});
