/** A view whose definition has changed is built anew; until it is, its old rows answer, as of their own position, and say so. */
import { afterEach, describe, expect, it } from "vitest";
import type { SubscriptionEvent } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import type { AnyTopic, AnyView } from "../../src/face/handles.ts";
import { count, int4, sql, sum, table, topic, view } from "../../src/face/index.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { HeldLog } from "./support/held-log.ts";

const plays = topic("plays", { schema: { song: int4, ms: int4 } });

const before = view("per_song", plays.groupBy("song", { plays: count() }));
const after = view("per_song", plays.groupBy("song", { plays: count(), ms: sum("ms") }));
const later = view("per_song", plays.groupBy("song", { ms: sum("ms") }));

const HISTORY = 1000;
const half = HISTORY / 2;
const oldRows = [
  { song: 0, plays: half },
  { song: 1, plays: half },
];
const newRows = [
  { song: 0, plays: half, ms: half * 20 },
  { song: 1, plays: half, ms: half * 30 },
];

let machine: SimulatedDisk;
let held: HeldLog;
let db: Database;

afterEach(async () => {
  held.goOn();
  await db.close();
});

/** Opens the directory; what has to be built from history waits for goOn(). */
async function start(...views: AnyView[]): Promise<void> {
  await startWith([plays], ...views);
}

async function startWith(topics: AnyTopic[], ...views: AnyView[]): Promise<void> {
  held = new HeldLog(machine);
  db = await openEngine({
    directory: "/data",
    disk: held,
    clock: new SimulatedClock(),
    topics,
    views,
    checkpointIntervalMs: 0,
  });
  // The engine begins to build as the last thing it does here; no read of the log has been answered yet.
  held.reads.close();
}

/** A directory in which these views have their rows; the position they reflect. */
async function directory(...views: AnyView[]): Promise<string> {
  machine = new SimulatedDisk();
  await start(...views);
  await built();
  const records = Array.from({ length: HISTORY }, (_, i) => ({ song: i % 2, ms: i % 2 === 0 ? 20 : 30 }));
  const { position } = await db.append("plays", records);
  await db.close();
  return position;
}

async function built(): Promise<void> {
  held.goOn();
  await db.built();
}

/** The process ends where it is; what it was about to write is not written. */
async function crash(): Promise<void> {
  const next = machine.reboot("process");
  held.goOn();
  await db.close().catch(() => {});
  machine = next;
}

const rows = async () => db.view("per_song").rows({ order: ["song"] });

function rowsOf(event: SubscriptionEvent): unknown[] {
  if (event.type !== "snapshot") throw new Error(`a ${event.type}, not a snapshot`);
  const shown = event.rowsJson.map((json) => (JSON.parse(json) as { row: { song: number } }).row);
  return shown.sort((a, b) => a.song - b.song);
}

describe("a view made by other code than its rows", () => {
  it("answers with its old rows, then with its own", async () => {
    const position = await directory(before);
    await start(after);
    const reader = db.view("per_song");
    expect(await rows()).toEqual({ rows: oldRows, position, stale: true });
    expect(await reader.get(1)).toEqual({ row: oldRows[1], position, stale: true });
    const { fields } = reader.info.schema;
    expect(await reader.getJson(7)).toEqual({ rowJson: undefined, fields, position, stale: true });
    expect(reader.info).toMatchObject({ status: "stale", rows: 2, position, key: ["song"] });
    expect(fields.map((f) => f.name)).toEqual(["song", "plays"]);
    await built();
    expect(await rows()).toEqual({ rows: newRows, position: db.position });
    expect(reader.info).toMatchObject({ status: "live", rows: 2, position: db.position, lag: 0 });
  });

  it("does not change while it shows its old rows", async () => {
    const position = await directory(before);
    await start(after);
    await db.append("plays", [{ song: 0, ms: 1 }]);
    await db.settled();
    expect(await rows()).toEqual({ rows: oldRows, position, stale: true });
    expect(db.view("per_song").info.lag).toBe(Number(db.position) - Number(position));
    await built();
    expect((await rows()).rows[0]).toEqual({ song: 0, plays: half + 1, ms: half * 20 + 1 });
  });

  it("is known by the text of its functions", async () => {
    const loud = (over: 10 | 25) =>
      over === 10
        ? view("per_song", plays.filter((p) => p.ms > 10).groupBy("song", { plays: count() }))
        : view("per_song", plays.filter((p) => p.ms > 25).groupBy("song", { plays: count() }));
    await directory(loud(10));
    await start(loud(25));
    expect(await rows()).toMatchObject({ rows: oldRows, stale: true });
    await built();
    expect((await rows()).rows).toEqual([oldRows[1]]);
  });

  it("is known by its version", async () => {
    const chain = plays.groupBy("song", { plays: count() });
    await directory(view("per_song", chain, { version: "1" }));
    await start(view("per_song", chain, { version: "2" }));
    expect(await rows()).toMatchObject({ rows: oldRows, stale: true });
    await built();
    expect(await rows()).toEqual({ rows: oldRows, position: db.position });
  });

  it("keeps the order of the old rows", async () => {
    const ranks = sql`SELECT ms, count(*) AS n FROM ${plays} GROUP BY ms ORDER BY ms DESC`;
    const reversed = sql`SELECT ms, -count(*) AS n FROM ${plays} GROUP BY ms ORDER BY ms`;
    await directory(view("ranks", ranks));
    await start(view("ranks", reversed));
    const reader = db.view("ranks");
    expect(reader.info.order).toMatchObject([{ column: 0, descending: true }]);
    expect(await reader.rows()).toMatchObject({
      stale: true,
      rows: [
        { ms: 30, n: half },
        { ms: 20, n: half },
      ],
    });
    await built();
    expect((await reader.rows()).rows).toEqual([
      { ms: 20, n: -half },
      { ms: 30, n: -half },
    ]);
  });

  it("gives the memory of the old rows back", async () => {
    await directory(before);
    await start(after);
    const whileStale = db.stats().stateBytes;
    await built();
    await db.append("plays", [{ song: 3, ms: 1 }]);
    await db.settled();
    const { stateBytes } = db.stats();
    await db.close();
    await start(after);
    expect(db.stats().stateBytes).toBe(stateBytes);
    expect(whileStale).toBeGreaterThan(0);
  });

  it("has no old rows when the checkpoint is lost", async () => {
    await directory(before);
    await machine.unlink("/data/checkpoint/manifest");
    await start(after);
    expect(db.view("per_song").info.status).toBe("building");
    await expect(rows()).rejects.toMatchObject({ code: "not_ready" });
    await built();
    expect((await rows()).rows).toEqual(newRows);
  });

  it("has no old rows after a DROP, only after a change", async () => {
    await directory();
    await db.close();
    await start();
    held.goOn();
    await db.sql(
      "CREATE MATERIALIZED VIEW per_song AS SELECT song, count(*) AS plays FROM plays GROUP BY song",
    );
    await db.checkpoint();
    await db.sql("DROP MATERIALIZED VIEW per_song");
    held.reads.close();
    const creating = db.sql("CREATE MATERIALIZED VIEW per_song AS SELECT song, 1 AS plays FROM plays");
    await expect.poll(() => db.views().map((v) => v.status)).toEqual(["building"]);
    await db.settled();
    await crash();
    await creating;
    await start();
    await expect(rows()).rejects.toMatchObject({ code: "not_ready" });
  });
});

it("leaves its name to a statement, once it has been dropped", async () => {
  await directory();
  const declared = sql`SELECT song, count(*) AS plays FROM ${plays} GROUP BY song`;
  await start(view("per_song", declared));
  await built();
  await db.dropView("per_song");
  await db.sql("CREATE MATERIALIZED VIEW per_song AS SELECT song, sum(ms) AS ms FROM plays GROUP BY song");
  expect(db.view("per_song").info.status).toBe("live");
  expect((await rows()).rows[0]).toMatchObject({ song: 0, ms: half * 20 });
});

describe("newer rows than the old ones are asked for", () => {
  it("waits for the new rows, as long as it may", async () => {
    const position = await directory(before);
    await start(after);
    const reader = db.view("per_song");
    const appended = await db.append("plays", [{ song: 2, ms: 1 }]);
    expect(await reader.get(2, { atLeast: position })).toEqual({ row: undefined, position, stale: true });
    await expect(reader.get(2, { atLeast: appended.position, timeoutMs: 0 })).rejects.toMatchObject({
      code: "timeout",
      detail: `Until it is, its rows reflect position ${position}.`,
    });
    const waiting = reader.get(2, { atLeast: appended.position });
    held.goOn();
    expect(await waiting).toEqual({ row: { song: 2, plays: 1, ms: 1 }, position: db.position });
  });

  it("refuses what is no position at once", async () => {
    await directory(before);
    await start(after);
    await expect(rows()).resolves.toMatchObject({ stale: true });
    await expect(db.view("per_song").rows({ atLeast: "soon" })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("is told when the view is dropped meanwhile", async () => {
    await directory(before);
    await start(after);
    const { position } = await db.append("plays", [{ song: 2, ms: 1 }]);
    const waiting = db.view("per_song").rows({ atLeast: position });
    const dropping = db.dropView("per_song");
    await expect.poll(() => db.views()).toEqual([]);
    held.goOn();
    await dropping;
    await expect(waiting).rejects.toMatchObject({ code: "undefined_table" });
    await expect(rows()).rejects.toMatchObject({ code: "undefined_table" });
  });
});

describe("a start that does not come to the end of the rebuild", () => {
  it("leaves the old rows to the next", async () => {
    const position = await directory(before);
    await start(after);
    await crash();
    await start(after);
    expect(await rows()).toEqual({ rows: oldRows, position, stale: true });
    await built();
    expect((await rows()).rows).toEqual(newRows);
  });

  it("leaves them when a checkpoint was taken meanwhile", async () => {
    const position = await directory(before);
    for (let starts = 0; starts < 3; starts++) {
      await start(after);
      await db.append("plays", [{ song: 2, ms: 1 }]);
      await db.checkpoint();
      expect(db.stats().checkpointPosition).toBe(db.position);
      await crash();
    }
    await start(after);
    expect(await rows()).toEqual({ rows: oldRows, position, stale: true });
    await built();
    expect((await rows()).rows).toEqual([...newRows, { song: 2, plays: 3, ms: 3 }]);
  });

  it("leaves them when it is ended in order", async () => {
    const position = await directory(before);
    await start(after);
    const closing = db.close();
    held.goOn();
    await closing;
    await start(after);
    expect(await rows()).toEqual({ rows: oldRows, position, stale: true });
  });

  it("leaves them to code that has changed once more", async () => {
    const position = await directory(before);
    await start(after);
    await db.checkpoint();
    await crash();
    await start(later);
    expect(await rows()).toEqual({ rows: oldRows, position, stale: true });
    await crash();
    await start(after);
    expect(await rows()).toEqual({ rows: oldRows, position, stale: true });
    await built();
    expect((await rows()).rows).toEqual(newRows);
  });

  it("leaves them to the code that made them", async () => {
    const position = await directory(before);
    await start(after);
    await db.checkpoint();
    await crash();
    await start(before);
    expect(await rows()).toEqual({ rows: oldRows, position, stale: true });
    // The store of the new rows has the name of the old ones'.
    await built();
    await db.append("plays", [{ song: 1, ms: 30 }]);
    await db.checkpoint();
    await crash();
    await start(before);
    expect(await rows()).toEqual({ rows: [oldRows[0], { song: 1, plays: half + 1 }], position: db.position });
  });

  it("is not needed any more once the new rows are in a checkpoint", async () => {
    await directory(before);
    await start(after);
    await built();
    await db.checkpoint();
    await crash();
    await start(after);
    expect(await rows()).toEqual({ rows: newRows, position: db.position });
  });
});

describe("views over a view that has changed", () => {
  const over = view("total", before.reduce({ plays: sum("plays") }));
  const overAfter = view("total", after.reduce({ plays: sum("plays") }));
  const inSql = "CREATE MATERIALIZED VIEW songs AS SELECT count(*) AS songs FROM per_song";

  it("show their old rows too, declared or made by a statement", async () => {
    await directory(before, over);
    await start(before, over);
    held.goOn();
    await db.sql(inSql);
    await db.close();
    const position = String(Number(db.position));
    await start(after, overAfter);
    expect(await db.view("total").rows()).toEqual({ rows: [{ plays: HISTORY }], position, stale: true });
    expect(await db.view("songs").rows()).toEqual({ rows: [{ songs: 2 }], position, stale: true });
    await built();
    await db.append("plays", [{ song: 2, ms: 1 }]);
    await db.settled();
    expect(await db.view("total").rows()).toEqual({ rows: [{ plays: HISTORY + 1 }], position: db.position });
    expect(await db.view("songs").rows()).toEqual({ rows: [{ songs: 3 }], position: db.position });
    await db.close();
    await start(after, overAfter);
    expect(db.views().map((v) => v.status)).toEqual(["live", "live", "live"]);
  });
});

describe("a subscriber", () => {
  const next = async (events: AsyncIterator<SubscriptionEvent>): Promise<SubscriptionEvent> =>
    (await events.next()).value as SubscriptionEvent;
  const plain = view("all_plays", plays.reduce({ plays: count() }));

  it("is shown the old rows, then reset", async () => {
    const position = await directory(before);
    await start(after);
    const events = db.subscribe([{ view: "per_song" }])[Symbol.asyncIterator]();
    const stale = await next(events);
    expect(stale).toMatchObject({
      type: "snapshot",
      position,
      last: true,
      stale: true,
      keyColumns: ["song"],
    });
    expect(rowsOf(stale)).toEqual(oldRows);
    await db.append("plays", [{ song: 0, ms: 1 }]);
    await db.settled();
    const reset = next(events);
    await built();
    expect(await reset).toMatchObject({ type: "reset", view: "per_song" });
    const fresh = await next(events);
    expect(fresh).not.toHaveProperty("stale");
    expect(rowsOf(fresh)).toEqual([{ song: 0, plays: half + 1, ms: half * 20 + 1 }, newRows[1]]);
    const { position: appended } = await db.append("plays", [{ song: 1, ms: 1 }]);
    expect(await next(events)).toMatchObject({ type: "step", position: appended });
    await events.return?.();
  });

  it("does not resume at old rows", async () => {
    const position = await directory(before);
    await start(after);
    const events = db.subscribe([{ view: "per_song", from: db.position }])[Symbol.asyncIterator]();
    expect(await next(events)).toMatchObject({ type: "reset", view: "per_song" });
    expect(await next(events)).toMatchObject({ type: "snapshot", position, stale: true });
    await events.return?.();
  });

  it("is told of the other views meanwhile", async () => {
    await directory(before, plain);
    await start(after, plain);
    const events = db.subscribe([{ view: "per_song" }, { view: "all_plays" }])[Symbol.asyncIterator]();
    expect(await next(events)).toMatchObject({ view: "per_song", stale: true });
    expect(await next(events)).toMatchObject({ view: "all_plays", position: db.position });
    const { position } = await db.append("plays", [{ song: 0, ms: 1 }]);
    const step = await next(events);
    expect(step).toMatchObject({ type: "step", position });
    expect(step.type === "step" && [...step.views.keys()]).toEqual(["all_plays"]);
    await events.return?.();
  });

  it("is told when the view is dropped", async () => {
    await directory(before);
    await start(after);
    const events = db.subscribe([{ view: "per_song" }])[Symbol.asyncIterator]();
    expect(await next(events)).toMatchObject({ stale: true });
    const told = expect(next(events)).rejects.toMatchObject({ code: "undefined_table" });
    await db.dropView("per_song");
    await told;
  });
});

it("goes from the old rows to the new ones with nothing in between, also while the disk is behind", async () => {
  const songs = table("songs", { key: "id", schema: { id: int4, genre: int4 } });
  const genres = (version: string) => view("genres", songs.groupBy("genre", { songs: count() }), { version });
  machine = new SimulatedDisk();
  await startWith([songs], genres("1"));
  await built();
  await db.append(
    "songs",
    Array.from({ length: 20_000 }, (_, id) => ({ id, genre: id % 2_000 })),
  );
  await db.close();
  await startWith([songs], genres("2"));
  // It is built from the table's rows, without a look at the log, and joins after a commit that is not durable.
  held.writes.close();
  const appending = db.append("songs", [{ id: 20_000, genre: 0 }]);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const reader = db.view("genres");
  while (db.core.views.named("genres").node === null) {
    expect(await reader.get(0)).toMatchObject({ row: { songs: 10 }, stale: true });
    await turn();
  }
  for (let turns = 0; turns < 20; turns++, await turn()) {
    expect(await reader.get(0)).toMatchObject({ row: { songs: 10 }, stale: true });
  }
  held.writes.open();
  const { position } = await appending;
  await db.built();
  expect(await reader.get(0, { atLeast: position })).toEqual({ row: { genre: 0, songs: 11 }, position });
});
