/** The code blocks of docs/VIEWS.md, one after the other, are a program and a page of it: they must compile, and its views answer. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, expect, it } from "vitest";
import { type Db, OPTIONS, open } from "../../src/engine/open.ts";
import { loadApp } from "../../src/face/load-app.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(import.meta.dirname, ".program-"));
const file = join(folder, "app.ts");
const pageFile = join(folder, "page.tsx");
const text = readFileSync(join(root, "docs/VIEWS.md"), "utf8");
const blocksOf = (language: string): string =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))]
    .map((m) => m[1]!)
    .join("\n");
writeFileSync(file, blocksOf("ts"));
writeFileSync(pageFile, blocksOf("tsx"));
afterAll(() => rmSync(folder, { recursive: true }));

it("compiles", () => {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const program = ts.createProgram([file, pageFile], options);
  const problems = [file, pageFile].flatMap((path) => [
    ...program.getSyntacticDiagnostics(program.getSourceFile(path)),
    ...program.getSemanticDiagnostics(program.getSourceFile(path)),
  ]);
  expect(problems.map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n"))).toEqual([]);
});

it("declares views that answer", async () => {
  const app = (await import(file)) as {
    report(url: string): Promise<string>;
    follow(url: string, show: (rows: readonly unknown[]) => void): Promise<() => void>;
    transfer(db: Db, from: number, to: number, amount: number): Promise<string>;
    close(db: Db, id: number, seenAt: string): Promise<void>;
    readings(db: Db): Promise<unknown>;
  };
  const { topics, views, functions } = loadApp(app as never);
  expect(topics.map((t) => t.name)).toEqual(expect.arrayContaining(["plays", "songs", "prices", "events"]));
  expect(views.length).toBeGreaterThan(25);
  expect(functions.map((f) => f.name).sort()).toEqual(["geomean", "initials", "split_words"]);
  const db = await open({ dir: "data", disk: new SimulatedDisk(), topics, views, functions });
  try {
    const append = (topic: string, ...rows: unknown[]) => db.engine.append(topic, rows);
    await append(
      "songs",
      { id: 1, artist: "Nina Simone", name: "Feeling Good", genre: "jazz", label: null },
      { id: 2, artist: "Ella Fitzgerald", name: "Good Morning", genre: "jazz", label: "Verve" },
    );
    await append(
      "prices",
      { genre: "jazz", year: 2023, royalty: 2 },
      { genre: "jazz", year: 2024, royalty: 8 },
    );
    await append(
      "plays",
      { song_id: 1, listener: "ann", duration: 60_000 },
      { song_id: 9, listener: "bob", duration: 1 },
    );
    await append(
      "listenings",
      ...[0, 10, 45, 60].map((minute, i) => ({
        listener: "ann",
        song_id: i,
        at: new Date(Date.UTC(2024, 4, 6, 7, minute)).toISOString(),
        duration: 100 + i,
      })),
    );
    await append(
      "folders",
      { id: 1, parent: null, name: "/" },
      { id: 2, parent: 1, name: "usr" },
      { id: 3, parent: 2, name: "bin" },
    );
    await db.settled();
    const rows = async (name: string, order: string[]): Promise<unknown[]> => {
      const read = await db.view<Record<string, unknown>>(name).rows({ order });
      return read.map((row) => Object.values(row));
    };
    for (const { name } of views) await rows(name, []);
    expect(await rows("every_song", ["name"])).toEqual([
      ["Feeling Good", "ann"],
      ["Good Morning", "nobody"],
    ]);
    expect(await rows("all_of_both", ["name"])).toEqual([
      ["ann", "Feeling Good"],
      [null, "Good Morning"],
      ["bob", null],
    ]);
    expect(await rows("sittings", ["window_start"])).toEqual([
      ["ann", "2024-05-06T07:00:00+00:00", "2024-05-06T07:40:00+00:00", 2, 201],
      ["ann", "2024-05-06T07:45:00+00:00", "2024-05-06T08:30:00+00:00", 2, 205],
    ]);
    expect((await rows("smoothed", ["at"])).map((row) => (row as unknown[]).slice(-2))).toEqual([
      [100, 1],
      [100.5, 2],
      [101, 3],
      [101.5, 4],
    ]);
    expect(await rows("depths", ["id"])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ]);
    expect(await rows("inside", ["id", "above"])).toHaveLength(6);
    expect(await rows("title_words", ["word"])).toEqual([
      ["feeling", 1, 4],
      ["good", 2, expect.closeTo(4, 12)],
      ["morning", 1, 4],
    ]);
    await append("accounts", { id: 1, balance: 10 }, { id: 2, balance: 0 });
    const moved = await Promise.all([app.transfer(db, 1, 2, 3), app.transfer(db, 1, 2, 4)]);
    await expect(app.transfer(db, 1, 2, 4)).rejects.toThrow("no such money");
    await expect(app.close(db, 1, moved[0])).rejects.toMatchObject({ code: "conflict" });
    await app.close(db, 1, moved[1]);
    expect((await db.sql("SELECT id, balance FROM accounts ORDER BY id")).results[0]!.rows).toEqual([
      [1, 0],
      [2, 7],
    ]);
    expect(await app.readings(db)).toEqual({
      one: { genre: "jazz", songs: 2 },
      first: [{ id: 1, plays: 1 }],
      rows: [
        [1, "Feeling Good"],
        [2, "Good Morning"],
      ],
      log: [
        [0, 1, "Feeling Good"],
        [1, 2, "Good Morning"],
      ],
    });
    const server = await createHttpServer(db.engine, { port: 0 });
    const position = await app.report(server.url);
    const shown: (readonly unknown[])[] = [];
    const unfollow = await app.follow(server.url, (rows) => shown.push(rows));
    expect(shown.at(-1)).toEqual([{ name: "Feeling Good", plays: 1 }]);
    unfollow();
    await server.close();
    const health = await db.engine.view("health").rows({ atLeast: position });
    expect(health.rows).toEqual([{ events: 3, failed: 1 }]);
  } finally {
    await db.close();
  }
});

it("lists the options of open, each once", () => {
  const table = /^\| option of `open` .*\n\|.*\n((?:\|.*\n)+)/m.exec(text)![1]!;
  const listed = [...table.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, names]) =>
    [...names!.matchAll(/`(\w+)`/g)].map((m) => m[1]!),
  );
  expect(listed.sort()).toEqual(Object.keys(OPTIONS).sort());
});
