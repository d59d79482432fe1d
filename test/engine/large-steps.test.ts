/** A step that changes very many rows of a view is told in turns of its own: others do not wait for it, and who does is told the same as ever. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { decodeUtf8 } from "../../src/base/bytes.ts";
import { Chores } from "../../src/base/chores.ts";
import type { Database } from "../../src/engine/database.ts";
import { ChangeWriter } from "../../src/views/change-writer.ts";
import { ROWS_AT_ONCE, ROWS_PER_TURN } from "../../src/views/frame-maker.ts";
import { RowEncoder } from "../../src/views/row-encoder.ts";
import { usualSlices } from "../support/usual-slices.ts";
import { Client, defineMarks, mark, type Shown, shownNow, Watcher } from "./support/client.ts";
import { openInMemory, sql } from "./support/memory.ts";
import { smallSubscriptions } from "./support/small-subscriptions.ts";

const ROWS = 4 * ROWS_PER_TURN;

let db: Database;

/** "named": a row for each order of a customer. "bag": the same without a key, some rows twice. */
beforeEach(async () => {
  // Chores are held, and what fits a slice needs none of their turns.
  db = await openInMemory(undefined, { slices: usualSlices });
  await defineMarks(db);
  await sql(
    db,
    `CREATE TABLE customer (id int4 PRIMARY KEY, name text);
     CREATE TABLE orders (id int4 PRIMARY KEY, customer int4);
     CREATE TABLE other (k int4 PRIMARY KEY);
     CREATE MATERIALIZED VIEW named AS SELECT o.id, c.name FROM orders o JOIN customer c ON c.id = o.customer;
     CREATE MATERIALIZED VIEW bag AS SELECT o.id / 2 AS half, c.name FROM orders o JOIN customer c ON c.id = o.customer;
     CREATE MATERIALIZED VIEW small AS SELECT k FROM other;
     INSERT INTO customer VALUES (1, 'one');
     INSERT INTO orders SELECT g, 1 FROM generate_series(1, ${ROWS}) g`,
  );
  await db.settled();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await db.close();
});

const rename = (name: string) => db.append("customer", [{ id: 1, name }]);

/** From here on work that can wait gets no turn, until let go. */
function holdChores(): { letGo(): void } {
  const held: (() => void)[] = [];
  const turn = vi
    .spyOn(Chores.prototype, "turn")
    .mockImplementation(() => new Promise((resolve) => held.push(() => resolve(performance.now() + 1))));
  return {
    letGo() {
      turn.mockRestore();
      for (const resolve of held) resolve();
    },
  };
}

/** Long enough for everything that is not held. */
async function manyTurns(): Promise<void> {
  for (let i = 0; i < 200; i++) await new Promise(setImmediate);
}

it("looks at a bounded number of rows in a turn", async () => {
  const watchers = ["named", "bag"].map((view) => new Watcher(db, [{ view }]));
  await manyTurns();
  let inTurn = 0;
  let most = 0;
  const look = (): void => {
    if (inTurn === 0) setImmediate(() => (inTurn = 0));
    most = Math.max(most, ++inTurn);
  };
  // Rows without a key are told apart by their text.
  const { contentHash } = RowEncoder.prototype;
  vi.spyOn(RowEncoder.prototype, "contentHash").mockImplementation(function (this: RowEncoder, slot) {
    look();
    return contentHash.call(this, slot);
  });
  const { changed } = ChangeWriter.prototype;
  const written = vi.spyOn(ChangeWriter.prototype, "changed").mockImplementation(function (
    this: ChangeWriter,
    ...change
  ) {
    look();
    return changed.apply(this, change);
  });
  await rename("two");
  await mark(db);
  for (const watcher of watchers) await watcher.finished();
  expect(written.mock.calls.length).toBeGreaterThan(2 * ROWS);
  // A turn may hold what is told at once and a piece of what is not.
  expect(most).toBeLessThanOrEqual(2 * (ROWS_AT_ONCE + ROWS_PER_TURN));
  const now = await shownNow(db, ["named", "bag"]);
  expect(watchers[0]!.client.views.get("named")).toEqual(now.views.get("named"));
  expect(watchers[1]!.client.views.get("bag")).toEqual(now.views.get("bag"));
});

it("lets subscribers of other views go on, and tells its own in order", async () => {
  const seen: string[] = [];
  const whole: string[] = [];
  const follow = async (view: string, until: (text: string) => boolean): Promise<void> => {
    for await (const event of db.subscribe([{ view }])) {
      if (event.type === "snapshot" && event.last) whole.push(view);
      if (event.type !== "step") continue;
      const text = [...event.views.values()]
        .flat()
        .map((piece) => decodeUtf8(piece))
        .join();
      seen.push(`${view} ${event.position}`);
      if (until(text)) return;
    }
  };
  const big = follow("named", (text) => text.includes('"three"'));
  const small = follow("small", (text) => text.includes('"k":7'));
  await expect.poll(() => whole.toSorted()).toEqual(["named", "small"]);
  const held = holdChores();
  const { position: two } = await rename("two");
  const { position: three } = await rename("three");
  const { position: seven } = await db.append("other", [{ k: 7 }]);
  await small;
  expect(seen).toEqual([`small ${seven}`]);
  held.letGo();
  await big;
  expect(seen).toEqual([`small ${seven}`, `named ${two}`, `named ${three}`]);
});

it("who comes, comes back or wants one row while it is being told gets it once", async () => {
  const early = new Watcher(db, [{ view: "named" }]);
  await manyTurns();
  const before = await shownNow(db, ["named"]);
  const held = holdChores();
  await rename("two");
  const fresh = new Watcher(db, [{ view: "named" }]);
  const back = new Watcher(db, [{ view: "named" }], {
    client: new Client().resume(
      new Map<string, Shown>([
        ["named", before.views.get("named")!],
        ["marks", new Map()],
      ]),
      before.position,
    ),
    from: String(before.position),
  });
  const one = new Watcher(db, [{ view: "named", key: 77 }]);
  const oneBack = new Watcher(db, [{ view: "named", key: 77 }], {
    client: new Client().resume(
      new Map<string, Shown>([
        ["named", new Map([["77", '{"id":77,"name":"one"}']])],
        ["marks", new Map()],
      ]),
      before.position,
    ),
    from: String(before.position),
  });
  await manyTurns();
  await mark(db);
  await manyTurns();
  held.letGo();
  for (const watcher of [early, fresh, back, one, oneBack]) {
    await watcher.finished();
    expect(watcher.client.resets).toEqual([]);
  }
  const now = (await shownNow(db, ["named"])).views.get("named");
  for (const { client } of [early, fresh, back]) expect(client.views.get("named")).toEqual(now);
  for (const { client } of [one, oneBack])
    expect([...client.views.get("named")!]).toEqual([["77", '{"id":77,"name":"two"}']]);
  expect([fresh.client.snapshots, back.client.snapshots, oneBack.client.snapshots]).toEqual([2, 0, 0]);
});

it("holds the rows of the step meanwhile, and no longer", async () => {
  const watcher = new Watcher(db, [{ view: "named" }]);
  await manyTurns();
  const held = holdChores();
  const store = db.core.views.named("named").view!.store;
  for (const name of ["two", "three", "four"]) await rename(name);
  await manyTurns();
  expect(store.isPinned).toBe(true);
  const highWater = store.highWater;
  held.letGo();
  await mark(db);
  await watcher.finished();
  expect(store.isPinned).toBe(false);
  for (const name of ["five", "six", "seven", "eight"]) {
    await rename(name);
    await manyTurns();
  }
  expect(store.highWater).toBeLessThanOrEqual(highWater + ROWS);
});

it("a step of more than is kept is a reset: those who watch get the view anew", async () => {
  const { core } = db;
  const own = smallSubscriptions(db);
  vi.spyOn(core.subscriptions, "subscribe").mockImplementation((...args) => own.subscribe(...args));
  const watcher = new Watcher(db, [{ view: "named" }]);
  const other = new Watcher(db, [{ view: "small" }]);
  await manyTurns();
  await rename("two");
  await db.append("other", [{ k: 7 }]);
  await mark(db);
  await Promise.all([watcher.finished(), other.finished()]);
  expect(watcher.client.resets.filter((r) => r.startsWith("named:"))).toEqual([
    "named: a step changed more rows than are told one by one",
  ]);
  expect(other.client.resets).toEqual([]);
  expect(watcher.client.views.get("named")).toEqual((await shownNow(db, ["named"])).views.get("named"));
});

it("who leaves while it is being told, leaves at once", async () => {
  const leaving = new AbortController();
  const events = db.subscribe([{ view: "named" }], { signal: leaving.signal })[Symbol.asyncIterator]();
  expect((await events.next()).value.type).toBe("snapshot");
  const held = holdChores();
  await rename("two");
  const next = events.next();
  await manyTurns();
  leaving.abort();
  expect((await next).done).toBe(true);
  held.letGo();
});

it("a database closes while it is being told", async () => {
  const events = db.subscribe([{ view: "named" }])[Symbol.asyncIterator]();
  expect((await events.next()).value.type).toBe("snapshot");
  const held = holdChores();
  await rename("two");
  const next = events.next().catch((error: unknown) => error);
  await manyTurns();
  const closing = db.close();
  await manyTurns();
  held.letGo();
  await closing;
  expect(await next).toBeDefined();
});
