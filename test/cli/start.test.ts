/** `evert start`, `dev`, `check`, `backup` and `restore`: the whole program, with the real engine. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { open as openDatabase } from "../../src/engine/open.ts";
import { removeChecked } from "../support/left-behind.ts";
import { Running, run as runProcess } from "./run.ts";

let directory: string;
let data: string;
const started: Running[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "evert-start-"));
  data = join(directory, "data");
});
afterEach(async () => {
  for (const running of started.splice(0)) {
    running.process.kill("SIGKILL");
    await running.done;
  }
  await removeChecked(directory);
});

function launch(command: string, ...args: string[]): Running {
  const running = new Running([command, ...args, "--data", data, "--port", "0"]);
  started.push(running);
  return running;
}

/** Where it listens, once it says so for the n-th time. */
async function url(running: Running, times = 1): Promise<string> {
  const pattern = /^evert listening on (http:\/\/127\.0\.0\.1:\d+)$/gm;
  const said = () => [...running.stdout.matchAll(pattern)];
  await running.until(() => said().length >= times);
  return said().at(-1)![1]!;
}

const app = (extra = "") => `
import { count, table, topic, view } from ${JSON.stringify(join(import.meta.dirname, "../../src/face/index.ts"))};
import { int4, text } from ${JSON.stringify(join(import.meta.dirname, "../../src/face/index.ts"))};
export const songs = table("songs", { key: "id", schema: { id: int4, name: text } });
export const plays = topic("plays", { schema: { song_id: int4 } });
export const counts = view("counts", plays.groupBy((p) => p.song_id, { n: count() }));
${extra}
`;

test("it serves an app, drains at SIGTERM, and goes on where it was", async () => {
  const file = join(directory, "app.ts");
  await writeFile(file, app());
  const first = launch("start", file);
  const at = await url(first);
  const input = '{"song_id":1}\n{"song_id":1}\n{"song_id":2}\n';
  expect(await runProcess(["append", "plays"], { url: at, input })).toMatchObject({ code: 0 });
  const query = ["query", "SELECT song_id, n FROM counts ORDER BY 1", "--format", "csv"];
  const counted = { code: 0, stdout: "song_id,n\n1,2\n2,1\n" };
  expect(await runProcess(query, { url: at })).toMatchObject(counted);
  const watching = new Running(["watch", "counts"], { url: at });
  await watching.until(() => watching.stdout.split("\n").length === 3);
  first.process.kill("SIGTERM");
  expect((await first.done).code).toBe(0);
  watching.process.kill("SIGKILL");

  const second = launch("start", file);
  expect(await runProcess(query, { url: await url(second) })).toMatchObject(counted);
  second.process.kill("SIGINT");
  expect((await second.done).code).toBe(0);
});

test("a second server on the same data is refused", async () => {
  const first = launch("start");
  await url(first);
  expect(await launch("start").done).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("directory_locked"),
  });
  expect(await runProcess(["check", "--data", data])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("directory_locked"),
  });
});

test("a port that is taken is refused, and the data is let go", async () => {
  const first = launch("start");
  const { port } = new URL(await url(first));
  const other = join(directory, "other");
  const refused = await runProcess(["start", "--data", other, "--port", port]);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("port") });
});

test("a level and an address that there are not are named after where they were said, and with what there is", async () => {
  const data = join(directory, "none");
  const args = ["start", "--data", data, "--port", "0"];
  expect(await runProcess(args, { env: { EVERT_LOG_LEVEL: "loud" } })).toMatchObject({
    code: 2,
    stderr: "error: EVERT_LOG_LEVEL must be one of debug, info, warn, error, silent: loud\n",
  });
  expect(await runProcess([...args, "--log-level", "loud"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^error: --log-level must be one of .*: loud\n$/),
  });
  // An address kept for examples is no machine's (RFC 5737).
  expect(await runProcess([...args, "--host", "192.0.2.1"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("\nhint: Give an address of this machine"),
  });
});

test("an app that cannot be served is refused with why", async () => {
  const file = join(directory, "app.ts");
  await writeFile(file, "export const nothing = 1;");
  expect(await launch("start", file).done).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("no topic and no view"),
  });
  await writeFile(file, "export const broken = ;");
  expect(await launch("start", file).done).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("cannot be loaded"),
  });
  await writeFile(file, "enum Kind { one }\nexport const kind = Kind.one;");
  expect(await launch("start", file).done).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("\nhint: Node takes the types away"),
  });
});

test("a second Ctrl-C ends it at once, a second SIGTERM changes nothing", async () => {
  const running = launch("start");
  const at = await url(running);
  // A request under way, whose body does not come, holds the drain.
  const headers = { "Content-Type": "application/json", Expect: "100-continue" };
  const stuck = request(`${at}/v1/sql`, { method: "POST", headers });
  stuck.on("error", () => undefined);
  stuck.flushHeaders();
  await once(stuck, "continue");
  running.process.kill("SIGTERM");
  await running.until(() => running.stderr.includes("SIGTERM"));
  running.process.kill("SIGTERM");
  // A Ctrl-C that comes right after counts as the same request, handed on twice.
  const impatient = setInterval(() => running.process.kill("SIGINT"), 200);
  expect((await running.done).code).toBe(1);
  clearInterval(impatient);
  stuck.destroy();
});

test("dev starts again when the app changes, and waits when it is broken", async () => {
  const file = join(directory, "app.ts");
  await writeFile(file, app());
  const dev = launch("dev", file);
  const topics = async (at: string) => (await runProcess(["topics"], { url: at })).stdout;
  expect(await topics(await url(dev))).not.toContain("artists");
  await writeFile(file, "export const broken = ;");
  await dev.until(() => dev.stderr.includes("waiting for a change"));
  await writeFile(file, app('export const artists = table("artists", { key: "id", schema: { id: int4 } });'));
  expect(await topics(await url(dev, 2))).toContain("artists");
  // As most editors save: a new file takes the name. Then once more into that one, and then in a folder that was not there.
  const replaced = join(directory, "app.ts~");
  await writeFile(
    replaced,
    app('export const labels = table("labels", { key: "id", schema: { id: int4 } });'),
  );
  await rename(replaced, file);
  expect(await topics(await url(dev, 3))).toContain("labels");
  await writeFile(file, app('import { genres } from "./more/genres.ts";\nexport { genres };'));
  await dev.until(() => dev.stderr.split("waiting for a change").length === 3);
  await mkdir(join(directory, "more"));
  await writeFile(
    join(directory, "more", "genres.ts"),
    app().replace("songs = ", "genres = ").replace('"songs"', '"genres"'),
  );
  expect(await topics(await url(dev, 4))).toContain("genres");
  dev.process.kill("SIGTERM");
  expect((await dev.done).code).toBe(0);
});

test("dev and start resolve the package as a clone's command does", async () => {
  // Inside the repository, so that "evert" is this package.
  const folder = await mkdtemp(join(import.meta.dirname, "app-"));
  try {
    const file = join(folder, "app.ts");
    await writeFile(
      file,
      'import { int4, table } from "evert";\nexport const songs = table("songs", { key: "id", schema: { id: int4 } });\n',
    );
    const dev = launch("dev", file);
    expect((await runProcess(["topics"], { url: await url(dev) })).stdout).toContain("songs");
    dev.process.kill("SIGTERM");
    expect((await dev.done).code).toBe(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the row type of sql is held against the columns of its query", async () => {
  const file = join(directory, "app.ts");
  const row = (type: string) =>
    writeFile(
      file,
      `${app().replace("import { int4, text }", "import { int4, sql, text }")}
interface Counted { song_id: number; n: number }
export const named = view("named", sql<Counted & { ${type} }>\`SELECT song_id, n, name FROM counts JOIN songs ON id = song_id\`);
`,
    );
  const started = () => runProcess(["start", file, "--data", data, "--port", "0"]);
  await row("name: number");
  expect(await started()).toMatchObject({
    code: 1,
    stderr: `error: view "named": its row type has "name" as number, and its query gives text (datatype_mismatch, 42804)
detail: The type stands at ${file}:10.
hint: Declare "name" as string, or cast it in the query.
`,
  });
  await row("names: string");
  expect(await started()).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /its row type has "names", and its query gives no such column[\s\S]*The columns are song_id, n, name/,
    ),
  });
  await row("name: string | null; other?: number");
  const running = launch("start", file);
  expect((await runProcess(["views"], { url: await url(running) })).stdout).toContain("named");
});

test("a server that npx has started ends in order when npx's shell dies", async () => {
  const main = join(import.meta.dirname, "../../bin/evert.js");
  // A shell that stays in between, as npx's may, and does not hand on the signal.
  const script = '"$@" & echo $!; wait';
  const args = [process.execPath, main, "start", "--data", data, "--port", "0"];
  const shell = spawn("sh", ["-c", script, "sh", ...args], {
    env: { ...process.env, npm_lifecycle_event: "npx" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  shell.stderr!.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  let printed = "";
  for await (const text of shell.stdout!.setEncoding("utf8")) {
    printed += text;
    if (printed.includes("evert listening on")) break;
  }
  shell.kill("SIGKILL");
  // The server holds the other end of this pipe until it is gone.
  await once(shell.stderr!, "close");
  expect(errors).toContain("npx has ended: finishing");
  expect(await runProcess(["check", "--data", data])).toMatchObject({ code: 0 });
});

test.each([
  ["start", "--port", "0", "--data", ""],
  ["check", "--data", ""],
  ["restore", "somewhere", "--data", ""],
  ["restore", ""],
  ["backup", ""],
])("%s with an empty name of a directory is wrong usage", async (...args) => {
  expect(await runProcess(args)).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("the directory's name is empty"),
  });
});

test.each([
  ["start", "--port", "0", "--data"],
  ["check", "--data"],
  ["restore", "somewhere", "--data"],
  ["restore"],
  ["backup"],
])("%s with a file in place of a directory is wrong usage", async (...args) => {
  const file = import.meta.filename;
  expect(await runProcess([...args, file])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining(`${file} is no directory`),
  });
});

test("check of a directory that is not there", async () => {
  expect(await runProcess(["check", "--data", data])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: there is no data directory .*\nhint: /),
  });
});

test("check of a directory without a log", async () => {
  expect(await runProcess(["check", "--data", directory])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: there is no log in .*\ndetail: .*\nhint: /),
  });
});

test("start with a file that is no app", async () => {
  const named = async (name: string, text: string) => {
    await writeFile(join(directory, name), text);
    return await launch("start", join(directory, name)).done;
  };
  expect(await named("notes.md", "# Notes")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^error: .*notes\.md is no module: its name must end in \.ts, /),
  });
  const thrown = await named("app.ts", "function fail() {\n  throw new Error('boom');\n}\nfail();\n");
  expect(thrown).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot be loaded: boom") });
  expect(thrown.stderr).toMatch(/at fail .*app\.ts:2:/);
  expect(thrown.stderr).not.toContain("node:internal");
});

test.each(["0", "1025", "64MiB", ""])("no segment has a size of %j", async (size) => {
  expect(await launch("start", "--segment-mib", size).done).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`--segment-mib must be a number from 1 to 1024: ${size}`),
  });
});

test.each(["0", "-1", "1GiB", ""])("state has no limit of %j", async (size) => {
  expect(await launch("start", `--memory-mib=${size}`).done).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`--memory-mib must be a positive number: ${size}`),
  });
});

test("state of at most 300 MiB", async () => {
  const running = launch("start", "--memory-mib", "300");
  const at = await url(running);
  const { stdout } = await runProcess(["views"], { url: at });
  expect(stdout).toMatch(/state of all topics and views: .* of 314\.6 MB/);
  running.process.kill("SIGTERM");
  await running.done;
});

test.each(["65", "-1", "two", ""])("no views are kept by %j workers", async (count) => {
  expect(await launch("start", `--workers=${count}`).done).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`--workers must be a number from 0 to 64: ${count}`),
  });
});

test.each(["start", "dev"])(
  "views that workers keep, with %s",
  async (command) => {
    const running = launch(command, "--workers", "2");
    const at = await url(running);
    await runProcess(["query", "CREATE TABLE t (id int PRIMARY KEY, g int)"], { url: at });
    await runProcess(["query", "CREATE MATERIALIZED VIEW v AS SELECT g, count(*) FROM t GROUP BY g"], {
      url: at,
    });
    await runProcess(["append", "t"], { url: at, input: '{"id":1,"g":1}\n{"id":2,"g":1}\n' });
    const { stdout } = await runProcess(["query", "EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW v"], {
      url: at,
    });
    expect(stdout).toMatch(/rows kept by 2 workers, split by t\.g/i);
    running.process.kill("SIGTERM");
    expect((await running.done).code).toBe(0);
  },
  60_000,
);

test("segments of one MiB", async () => {
  const running = launch("start", "--segment-mib", "1");
  const at = await url(running);
  await runProcess(["query", "CREATE TABLE t (id int PRIMARY KEY, b text)"], {
    url: at,
  });
  const rows = Array.from({ length: 3 }, (_, id) => JSON.stringify({ id, b: "x".repeat(700_000) }));
  for (const row of rows) await runProcess(["append", "t"], { url: at, input: `${row}\n` });
  running.process.kill("SIGTERM");
  await running.done;
  expect((await readdir(join(data, "log"))).filter((n) => /\.(log|sealed)$/.test(n)).length).toBeGreaterThan(
    1,
  );
});

test("check verifies what was written, and names what is damaged", async () => {
  const running = launch("start");
  const at = await url(running);
  await runProcess(["query", "CREATE TABLE t (id int PRIMARY KEY)"], { url: at });
  const { stdout } = await runProcess(["append", "t"], { url: at, input: '{"id":1}\n' });
  running.process.kill("SIGTERM");
  await running.done;
  expect(await runProcess(["check", "--data", data])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(new RegExp(`last position ${stdout.trim()}\\nno damage`)),
  });

  const [segment] = (await readdir(join(data, "log"))).filter((name) => name.endsWith(".log"));
  const file = await open(join(data, "log", segment!), "r+");
  await file.write(new Uint8Array([0xff, 0xff]), 0, 2, 100);
  await file.close();
  expect(await runProcess(["check", "--data", data])).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/\.log at byte 0: damaged, .*\n {2}positions 1 to \d+ cannot be read/),
    stderr: expect.stringContaining("log_damaged"),
  });
  const refused = launch("start");
  expect(await refused.done).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("log_damaged"),
  });

  // What is left of it goes on: here the definition of the table is gone.
  expect(await runProcess(["check", "--repair", "--data", data])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /repaired: .*\nlost: the commits at positions 1 to 1\n[\s\S]*1 damaged file in .*damaged-\w+/,
    ),
  });
  expect(await readdir(data)).toContainEqual(expect.stringMatching(/^damaged-\d{8}T\d{6}Z$/));
  expect(await runProcess(["check", "--repair", "--data", data])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("there is nothing to repair"),
  });
  const again = launch("start");
  const there = await url(again);
  const made = await runProcess(
    ["query", "CREATE TABLE t (id text PRIMARY KEY); INSERT INTO t VALUES ('a')"],
    { url: there },
  );
  expect(made.code).toBe(0);
  expect((await runProcess(["tail", "t"], { url: there })).stdout).toContain('{"offset":0,"position":"4"');
  again.process.kill("SIGTERM");
  await again.done;
});

test("a backup of a running server, once more with what is new, and what is restored from it", async () => {
  const server = launch("start");
  const at = await url(server);
  const sql = (text: string) => runProcess(["query", text], { url: at });
  await sql("CREATE TABLE t (k int4 PRIMARY KEY); INSERT INTO t VALUES (1)");
  const copy = join(directory, "copy");
  expect(await runProcess(["backup", copy], { url: at })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^position 2: 1 file, \S+ k?B, of which \S+ k?B are new\n$/),
  });
  await sql("INSERT INTO t VALUES (2)");
  expect((await runProcess(["backup", copy], { url: at })).stdout).toMatch(/^position 3: 1 file/);
  expect(await runProcess(["backup", data], { url: at })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("directory_locked"),
  });
  server.process.kill("SIGTERM");
  await server.done;
  expect(await runProcess(["check", "--data", copy])).toMatchObject({ code: 0 });
  expect(await runProcess(["restore", copy, "--data", data])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("has a log already"),
  });
  expect(await runProcess(["restore", copy, "--to", "soon"])).toMatchObject({ code: 2 });
  for (const [to, rows] of [
    ["3", 2],
    ["2", 1],
  ] as const) {
    const restored = join(directory, `restored-${to}`);
    expect(await runProcess(["restore", copy, "--data", restored, "--to", to])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^position ${to}: .* every byte verified\n$`)),
    });
    const db = await openDatabase({ dir: restored });
    expect((await db.sql("SELECT count(*) FROM t")).results[0]!.rows).toEqual([[rows]]);
    await db.close();
  }
});

test("a replica follows, refuses to write, and is promoted when its leader was killed", async () => {
  const leader = launch("start", "--sync-followers", "1");
  const at = await url(leader);
  const replica = new Running(["start", "--follow", at, "--data", join(directory, "replica"), "--port", "0"]);
  started.push(replica);
  const there = await url(replica);
  expect(await runProcess(["query", "CREATE TABLE t (n int4)"], { url: at })).toMatchObject({ code: 0 });
  const appended = await runProcess(["append", "t"], { url: at, input: '{"n":1}\n{"n":2}\n' });
  expect(appended).toMatchObject({ code: 0 });
  const refused = await runProcess(["append", "t"], { url: there, input: '{"n":3}\n' });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("not_leader");
  expect(refused.stderr).toContain(at);
  const listed = await runProcess(["replicas", "--format", "json"], { url: there });
  expect(JSON.parse(listed.stdout)).toMatchObject({ role: "follower", following: { leader: at } });
  const table = await runProcess(["replicas"], { url: at });
  expect(table.stdout).toMatch(/this one +\| leader/);
  expect(table.stdout).toMatch(/\| follower/);
  leader.process.kill("SIGKILL");
  await leader.done;
  expect(await runProcess(["promote"], { url: there })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^leader of epoch 1, from position \d+ on\n$/),
  });
  expect(await runProcess(["promote"], { url: there })).toMatchObject({ code: 1 });
  expect(await runProcess(["append", "t"], { url: there, input: '{"n":3}\n' })).toMatchObject({ code: 0 });
  const rows = await runProcess(["query", "SELECT n FROM t ORDER BY n", "--format", "csv"], { url: there });
  expect(rows.stdout).toBe("n\n1\n2\n3\n");
  const metrics = await (await fetch(`${there}/metrics`)).text();
  expect(metrics).toMatch(/^evert_epoch 1$/m);
  expect(metrics).toMatch(/^evert_leading 1$/m);
  // The former leader comes back to follow.
  const former = launch("start", "--follow", there);
  const again = await url(former);
  await expect
    .poll(
      async () =>
        (await runProcess(["query", "SELECT n FROM t ORDER BY n", "--format", "csv"], { url: again })).stdout,
    )
    .toBe("n\n1\n2\n3\n");
});

test.each([
  [["--follow", "nowhere"], "not an http address"],
  [["--rejoin"], "goes with --follow"],
  [["--sync-followers", "x"], "must be a whole number"],
])("start %j is wrong usage", async (args, why) => {
  const outcome = await runProcess(["start", "--data", data, ...args]);
  expect(outcome.code).toBe(2);
  expect(outcome.stderr).toContain(why);
});

test("an app in a project of CommonJS, as npm init makes it, is told what to change", async () => {
  const file = join(directory, "app.ts");
  await writeFile(join(directory, "package.json"), '{ "type": "commonjs" }');
  await writeFile(file, 'import { join } from "node:path";\nexport const topics = [join("a")];\n');
  const { code, stderr } = await runProcess([
    "start",
    file,
    "--data",
    join(directory, "data"),
    "--port",
    "0",
  ]);
  expect(code).toBe(1);
  expect(stderr).toContain('hint: Say "type": "module" in package.json, or call the file app.mts.');
});
