/** What clients write. Each is an attempt that the oracle knows of before it begins. */
import { EvertError } from "../../../src/base/errors.ts";
import type { Expectation } from "../../../src/engine/api.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type Commit, Violation, type Written } from "./commits.ts";
import type { Life } from "./life.ts";
import type { Attempt, Request } from "./oracle.ts";
import type { Account, Event, Item, State, StreamName, TopicName } from "./topics.ts";

const KEYS = 8;

/** What refuses those who write or read while others change the topic. */
export const OF_CHANGES: ReadonlySet<string> = new Set([
  "undefined_column",
  "undefined_table",
  "not_null_violation",
]);

function note(life: Life, random: SeededRandom): string | null {
  if (random.oneIn(6)) return null;
  const { textLength } = life.run;
  const length = random.oneIn(12) ? random.below(20 * textLength) : random.below(textLength);
  const letter = String.fromCharCode(97 + random.below(26));
  return `${random.u32()}${letter.repeat(length)}`;
}

function events(life: Life, random: SeededRandom, count: number): (id: number) => Event[] {
  const made = Array.from({ length: count }, (_, part) => ({
    part,
    w: random.below(KEYS),
    note: note(life, random),
  }));
  return (op) => made.map((row) => ({ op, ...row }));
}

const ofEvents = (rows: readonly Event[], topic: StreamName = "ev"): Written[] =>
  rows.map((value) => ({ topic, key: null, value }));
const ofAccount = (value: Account): Written => ({ topic: "acct", key: value.k, value });
const ofItem = (value: Item): Written => ({ topic: "item", key: value.k, value });

export function maybeKey(random: SeededRandom): string | null {
  return random.oneIn(3) ? `key ${random.u32()}` : null;
}

export const options = ({ idempotencyKey }: Attempt) => (idempotencyKey === null ? {} : { idempotencyKey });

/** Sends it, and notes what is told. `refuses`: codes that are no surprise here, and mean that nothing is stored. */
export async function send(
  life: Life,
  attempt: Attempt,
  request: Request,
  refuses: (code: string) => boolean = () => false,
): Promise<string | null> {
  const name = `#${attempt.id} ${attempt.what}`;
  life.run.trace(`${name} begins`);
  if (attempt.idempotencyKey !== null) life.run.oracle.remember(attempt, request);
  try {
    const { position, topic, firstOffset } = await request(life.db);
    const at = topic === undefined || firstOffset === undefined ? null : { topic, firstOffset };
    life.run.oracle.told(attempt, position, at);
    life.told(`${name} is at ${position}`);
    return position;
  } catch (error) {
    if (refuses((error as EvertError).code))
      life.told(`${name} is refused: ${(error as EvertError).message}`);
    else if (!life.refused(name, error)) return null;
    if (attempt.idempotencyKey === null) attempt.refused = true;
    return null;
  }
}

/** The same by a statement, which says how many rows it wrote. */
export async function execute(
  life: Life,
  attempt: Attempt,
  sql: string,
  refuses: (code: string) => boolean = () => false,
): Promise<void> {
  const name = `#${attempt.id} ${attempt.what}`;
  life.run.trace(`${name} begins`);
  try {
    const { error, position, results } = await life.db.sql(sql);
    if (error?.code === "internal") throw new Violation(`${name}: ${error.message}`);
    if (error !== undefined) throw EvertError.from(error);
    const wrote = Number(/\d+$/.exec(results[0]?.command ?? "")?.[0] ?? 0);
    if (wrote > 0) life.run.oracle.told(attempt, position, null);
    else attempt.refused = true;
    life.told(`${name} wrote ${wrote} at ${position}`);
  } catch (error) {
    const isExpected = refuses((error as EvertError).code);
    if (isExpected) life.told(`${name} is refused: ${(error as EvertError).message}`);
    if (isExpected || life.refused(name, error)) attempt.refused = true;
  }
}

export async function appendEvents(
  life: Life,
  random: SeededRandom,
  count = 1 + random.below(3),
): Promise<void> {
  const topic: StreamName = random.oneIn(3) ? "old" : "ev";
  const make = events(life, random, count);
  const attempt = life.run.oracle.begin(`append ${count} to ${topic}`, maybeKey(random), (id) => {
    const written = ofEvents(make(id), topic);
    return () => written;
  });
  const rows = make(attempt.id);
  await send(life, attempt, async (db) => ({
    ...(await db.append(topic, rows, options(attempt))),
    topic,
  }));
}

export function appendMany(life: Life, random: SeededRandom): Promise<void> {
  return appendEvents(life, random, 20 + random.below(150));
}

/** The same request once more, under its key: after an answer, or after none. */
export function retry(life: Life, random: SeededRandom): Promise<void> {
  return retryOneOf(life, random, life.run.oracle.keyed);
}

export async function retryOneOf(life: Life, random: SeededRandom, keyed: readonly Attempt[]): Promise<void> {
  const attempt = keyed[random.below(keyed.length)];
  const request = attempt === undefined ? undefined : life.run.oracle.requestOf(attempt);
  if (attempt === undefined || request === undefined) return;
  // What it names may be gone by now; but where the topic is there, what has been told is told again, unless its key has been forgotten.
  const told = Math.max(0, ...attempt.told.keys());
  const refuses = (code: string): boolean => {
    if (code === "fenced" || code === "undefined_table") return true;
    if (!OF_CHANGES.has(code)) return false;
    if (told > 0) life.run.oracle.hasForgotten(attempt, told, life.db.core.log.nowUs());
    return true;
  };
  await send(life, attempt, request, refuses);
}

export async function upsert(life: Life, random: SeededRandom): Promise<void> {
  if (random.oneIn(2)) {
    const row = { k: random.below(KEYS), v: random.below(9) };
    const text = note(life, random);
    const attempt = life.run.oracle.begin(`upsert account ${row.k}`, null, (op) => {
      const written = [ofAccount({ ...row, op, note: text })];
      return () => written;
    });
    await send(life, attempt, (db) => db.append("acct", [{ ...row, op: attempt.id, note: text }]));
    return;
  }
  const row = { k: `item ${random.below(KEYS)}`, v: random.below(9) };
  const attempt = life.run.oracle.begin(`upsert ${row.k}`, null, (op) => () => [ofItem({ ...row, op })]);
  await send(life, attempt, () => life.db.append("item", [{ ...row, op: attempt.id }]));
}

export async function remove(life: Life, random: SeededRandom): Promise<void> {
  const k = random.below(KEYS);
  const [topic, key]: [TopicName, unknown] = random.oneIn(2) ? ["acct", k] : ["item", `item ${k}`];
  const attempt = life.run.oracle.begin(`delete ${key} of ${topic}`, null, () => () => [
    { topic, key, value: null },
  ]);
  await send(life, attempt, () => life.db.deleteKey(topic, key));
}

interface Mixed {
  readonly events: readonly Event[];
  readonly account: Account;
  readonly item: Item;
  readonly gone: number;
}

/** Over all topics; now and then under conditions. */
export async function transact(life: Life, random: SeededRandom): Promise<void> {
  const make = events(life, random, 1 + random.below(2));
  const [k, v, text] = [random.below(KEYS), random.below(9), note(life, random)];
  const mixed = (op: number): Mixed => ({
    events: make(op),
    account: { k, v, op, note: text },
    item: { k: `item ${k}`, v: 8 - v, op },
    gone: (k + 1) % KEYS,
  });
  const { expect, objection } = expectation(life, random);
  const attempt = life.run.oracle.begin(
    `transact${expect.length > 0 ? ` expecting ${JSON.stringify(expect)}` : ""}`,
    expect.length > 0 ? null : maybeKey(random),
    (op) => {
      const m = mixed(op);
      const gone: Written = { topic: "acct", key: m.gone, value: null };
      const written = [...ofEvents(m.events), ofAccount(m.account), ofItem(m.item), gone];
      return () => written;
    },
    objection,
  );
  const m = mixed(attempt.id);
  await send(life, attempt, (db) =>
    db.transact(
      [
        { topic: "ev", append: m.events },
        { topic: "acct", upsert: [m.account] },
        { topic: "item", append: [m.item] },
        { topic: "acct", delete: [m.gone] },
      ],
      { ...options(attempt), expect },
    ),
  );
}

/** Something that may or may not hold, and how the oracle judges it. */
function expectation(
  life: Life,
  random: SeededRandom,
): { expect: Expectation[]; objection: (before: readonly Commit[]) => string | null } {
  const from = Math.max(0, life.run.oracle.toldPosition - random.below(3));
  const position = String(from);
  const topic: TopicName = random.oneIn(2) ? "acct" : "ev";
  const since = (before: readonly Commit[], of: (commit: Commit) => boolean): string | null => {
    const found = before.slice(from).find(of);
    return found === undefined ? null : `it expects nothing since ${from}, and there is ${found.position}`;
  };
  switch (random.below(5)) {
    case 0:
      return {
        expect: [{ position }],
        objection: (before) => since(before, ({ records }) => records.length > 0),
      };
    case 1:
      return {
        expect: [{ topic, position }],
        objection: (before) =>
          // What has been taken out of a topic is not seen any more after a start.
          since(before, ({ records }) =>
            records.some((record) => record.topic === topic && !life.run.oracle.isGone(record)),
          ),
      };
    case 2: {
      const key = random.below(KEYS);
      return {
        expect: [{ topic: "acct", key, version: null }],
        objection: (before) => (lastOf(before, key)?.isThere === true ? `it expects no row ${key}` : null),
      };
    }
    case 3: {
      const key = random.below(KEYS);
      const version = lastOf(life.run.oracle.history, key)?.position ?? from;
      return {
        expect: [{ topic: "acct", key, version: String(version) }],
        objection: (before) => {
          const last = lastOf(before, key);
          const holds = last?.isThere === true && last.changedAt <= version;
          return holds ? null : `it expects row ${key} as of ${version}, and it is ${JSON.stringify(last)}`;
        },
      };
    }
    default:
      return { expect: [], objection: () => null };
  }
}

/** `changedAt`: since when it is what it is. Written again with the same values, as by who did not hear that it was stored, it may be taken for one that has not changed. */
function lastOf(
  commits: readonly Commit[],
  key: number,
): { position: number; changedAt: number; isThere: boolean } | undefined {
  const written = commits.flatMap(({ position, records }) => {
    const record = records.findLast((r) => r.topic === "acct" && r.key === key);
    return record === undefined ? [] : [{ position, value: JSON.stringify(record.value) }];
  });
  const last = written.at(-1);
  if (last === undefined) return undefined;
  const other = written.findLastIndex(({ value }) => value !== last.value);
  return {
    position: last.position,
    changedAt: written[other + 1]!.position,
    isThere: last.value !== "null",
  };
}

/** Reads, decides, writes: with others in between it must run again. */
export async function decide(life: Life, random: SeededRandom): Promise<void> {
  const [from, to] = [random.below(KEYS), random.below(KEYS)];
  const writes = (op: number, before: (k: number) => number): Account[] => [
    { k: from, v: before(from) - 1, op, note: null },
    ...(to === from ? [] : [{ k: to, v: before(to) + 1, op, note: null }]),
  ];
  const attempt = life.run.oracle.begin(
    `move one from ${from} to ${to}`,
    null,
    (op) => (state: State) => writes(op, (k) => state.acct.get(k)?.v ?? 0).map(ofAccount),
  );
  const pause = random.below(4);
  await send(life, attempt, async () => {
    const { position } = await life.db.transaction(async (transaction) => {
      const values = new Map<number, number>();
      for (const k of [from, to])
        values.set(k, ((await transaction.get("acct", k))?.["v"] as number | undefined) ?? 0);
      await life.turns(pause);
      transaction.append(
        "acct",
        writes(attempt.id, (k) => values.get(k) as number),
      );
    });
    return { position };
  });
}

/** Statements, which say how many rows they wrote. */
export async function statement(life: Life, random: SeededRandom): Promise<void> {
  const k = random.below(KEYS);
  const v = random.below(9);
  const [what, text, writes]: [string, (op: number) => string, (op: number) => (state: State) => Written[]] =
    STATEMENTS[random.below(STATEMENTS.length)]!(k, v);
  const attempt = life.run.oracle.begin(what, null, writes);
  await execute(life, attempt, text(attempt.id));
}

type Statement = (
  k: number,
  v: number,
) => [string, (op: number) => string, (op: number) => (state: State) => Written[]];

const STATEMENTS: readonly Statement[] = [
  (k, v) => [
    `INSERT account ${k}`,
    (op) => `INSERT INTO acct VALUES (${k}, ${v}, ${op}, NULL)`,
    (op) => () => [ofAccount({ k, v, op, note: null })],
  ],
  (k, v) => [
    `UPDATE accounts below ${k}`,
    (op) => `UPDATE acct SET v = v + ${v}, op = ${op} WHERE k < ${k}`,
    (op) =>
      ({ acct }) =>
        [...acct.values()].filter((row) => row.k < k).map((row) => ofAccount({ ...row, v: row.v + v, op })),
  ],
  (_k, v) => [
    `DELETE items of ${v}`,
    () => `DELETE FROM item WHERE v = ${v}`,
    () =>
      ({ item }) =>
        [...item.values()].flatMap(({ k, v: value }) =>
          value === v ? [{ topic: "item", key: k, value: null }] : [],
        ),
  ],
  (k, v) => [
    `INSERT … ON CONFLICT item ${k}`,
    (op) =>
      `INSERT INTO item VALUES ('item ${k}', ${v}, ${op}) ON CONFLICT (k) DO UPDATE SET v = item.v + 1, op = ${op}`,
    (op) =>
      ({ item }) => {
        const old = item.get(`item ${k}`);
        return [ofItem({ k: `item ${k}`, v: old === undefined ? v : old.v + 1, op })];
      },
  ],
  (k) => [
    `INSERT … SELECT account ${k}`,
    (op) => `INSERT INTO ev SELECT ${op}, v, ${k}, note FROM acct WHERE k = ${k}`,
    (op) =>
      ({ acct }) =>
        ofEvents(
          [...acct.values()]
            .filter((row) => row.k === k)
            .map((row) => ({ op, part: row.v, w: k, note: row.note })),
        ),
  ],
];
