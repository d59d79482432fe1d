/** What clients do with topics whose columns change (columns.ts), beside those who change them. */
import { EvertError } from "../../../src/base/errors.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import {
  type Cells,
  cellOf,
  columnOf,
  isKeyed,
  isShaped,
  mayBeNull,
  numberOf,
  type ShapedName,
} from "./columns.ts";
import { type Commit, isSameRow, type Stored, Violation, type Written } from "./commits.ts";
import type { Life } from "./life.ts";
import type { Attempt } from "./oracle.ts";
import type { Shape, Shapes } from "./shapes.ts";
import { execute, maybeKey, OF_CHANGES, options, retryOneOf, send } from "./writes.ts";

const KEYS = 6;

/** One of the topics that are there. */
function anyShape(life: Life, random: SeededRandom): { shapes: Shapes; shape: Shape; id: number } | null {
  const shapes = life.run.shapes as Shapes;
  const there = life.db.topics().filter(({ name }) => isShaped(name));
  const info = there[random.below(there.length)];
  return info === undefined ? null : { shapes, shape: shapes.of(info.name as ShapedName), id: info.id };
}

/** Whether somebody changes it, or has changed it since: a copy hears of that later. */
function watched({ db }: Life, shape: Shape): () => boolean {
  const { changes, topic } = shape;
  const known = (): string | undefined => {
    const info = db.topics().find(({ name }) => name === topic);
    return info && `${info.id} ${info.schemaVersion}`;
  };
  const before = known();
  return () => shape.isBusy || shape.changes !== changes || shape.possible.length > 1 || known() !== before;
}

/** A row by the names of now, and by what stays of these. Columns that are not named have their defaults. */
function drawnRow(life: Life, topic: ShapedName, random: SeededRandom): { sent: Cells; cells: Cells } {
  const sent: Record<string, unknown> = {};
  const cells: Record<string, unknown> = {};
  for (const { name } of life.db.topic(topic).schema.fields) {
    const number = numberOf(name);
    if (Number.isNaN(number) || random.oneIn(3)) continue;
    const value = mayBeNull(number) && random.oneIn(4) ? null : random.below(100);
    sent[name] = value;
    cells[columnOf(name)] = value;
  }
  return { sent, cells };
}

/** Rows more, of a key one that takes the place of the one before; or one less; or those that are there, changed. */
export async function write(life: Life, random: SeededRandom): Promise<void> {
  const there = anyShape(life, random);
  if (there === null) return;
  const { shape, shapes, id } = there;
  const { topic } = shape;
  const isChanged = watched(life, shape);
  const refuses = (code: string): boolean => OF_CHANGES.has(code) && isChanged();
  const begin = (
    what: string,
    writes: (op: number) => Attempt["writes"],
    key: string | null = null,
  ): Attempt => {
    const attempt = life.run.oracle.begin(`${what} ${topic} ${id}`, key, writes);
    shapes.wrote(topic, attempt);
    return attempt;
  };
  if (isKeyed(topic) && random.oneIn(4)) {
    const key = random.below(KEYS);
    const attempt = begin(`delete ${key} of`, () => () => [{ topic, key, value: null }]);
    await send(life, attempt, (db) => db.deleteKey(topic, key), refuses);
    return;
  }
  const column = shape.columns?.find(({ name }) => columnOf(name) === "c0");
  if (topic === "flat" && column !== undefined && random.oneIn(3)) {
    await update(life, random, shape, column.name);
    return;
  }
  const rows = Array.from({ length: isKeyed(topic) ? 1 : 1 + random.below(4) }, (_, part) => {
    const { sent, cells } = drawnRow(life, topic, random);
    const first = isKeyed(topic) ? { k: random.below(KEYS) } : { part };
    return { sent: { ...first, ...sent }, cells: { ...first, ...cells } };
  });
  const attempt = begin(
    `write ${rows.length} to`,
    (op) => {
      const written = rows.map(({ cells }): Written => {
        const value = { ...cells, op };
        return { topic, key: "k" in value ? value.k : null, value };
      });
      return () => written;
    },
    maybeKey(random),
  );
  await send(
    life,
    attempt,
    (db) =>
      db.append(
        topic,
        rows.map(({ sent }) => ({ ...sent, op: attempt.id })),
        options(attempt),
      ),
    refuses,
  );
}

/** By a statement: of what is not named each row keeps what it has. */
async function update(life: Life, random: SeededRandom, shape: Shape, column: string): Promise<void> {
  const to = random.below(KEYS);
  const isChanged = watched(life, shape);
  const attempt = life.run.oracle.begin(`update flat below ${to}`, null, (op) => ({ flat }) => [
    ...[...flat].flatMap(([key, row]): Written[] => {
      const before = row["c0"] as number | null;
      const value = { ...row, op, c0: before === null ? null : before + 1 };
      return key < to ? [{ topic: "flat", key, value }] : [];
    }),
  ]);
  const sql = `UPDATE flat SET op = ${attempt.id}, ${column} = ${column} + 1 WHERE k < ${to}`;
  await execute(life, attempt, sql, (code) => OF_CHANGES.has(code) && isChanged());
}

/** Another column, one less, one renamed or widened; a topic less, or one that is there again. */
export async function change(life: Life, random: SeededRandom): Promise<void> {
  const { run, db } = life;
  const shapes = run.shapes as Shapes;
  const shape = shapes.all[random.below(shapes.all.length)] as Shape;
  const next = shape.isBusy ? null : shapes.change(shape, (below) => random.below(below));
  if (next === null) return;
  const { sql, after } = next;
  const id = db.topics().find(({ name }) => name === shape.topic)?.id;
  const [before] = shape.possible;
  shape.changing(after);
  if (after === null && id !== undefined) run.oracle.dropping(id, shapes.writers(shape.topic));
  run.trace(`${sql} begins`);
  try {
    const { error } = await db.sql(sql);
    if (error !== undefined) throw EvertError.from(error);
    shape.possible = [after];
    if (after === null && id !== undefined) shapes.dropped(id);
    life.told(`${sql} is done`);
  } catch (error) {
    if (life.refused(sql, error)) shape.possible = [before ?? null];
  } finally {
    shape.changes++;
    shape.isBusy = false;
  }
  const keyed = shapes
    .writers(shape.topic)
    .filter(({ idempotencyKey, refused }) => idempotencyKey !== null && !refused);
  if (random.oneIn(2)) await retryOneOf(life, random, keyed);
}

/** Its records one by one, or all that it has by now. */
export async function read(life: Life, random: SeededRandom): Promise<void> {
  const there = anyShape(life, random);
  if (there === null) return;
  const { shape, id } = there;
  const isChanged = watched(life, shape);
  const name = `read ${shape.topic} ${id}`;
  try {
    if (random.oneIn(2)) await readRows(life, shape, id);
    else await readRecords(life, random, shape, id, isChanged);
  } catch (error) {
    if (OF_CHANGES.has((error as EvertError).code) && isChanged())
      life.told(`${name} is refused: ${(error as EvertError).message}`);
    else life.refused(name, error);
  }
}

export function cellsOf(json: string): Cells {
  return Object.fromEntries(
    Object.entries(JSON.parse(json) as object).map(([name, value]) => [columnOf(name), cellOf(value)]),
  );
}

async function readRecords(
  life: Life,
  random: SeededRandom,
  { topic }: Shape,
  id: number,
  isChanged: () => boolean,
): Promise<void> {
  const from = random.below(life.db.topic(topic).records + 1);
  const signal = life.ended.signal;
  const options = { from, limit: 1 + random.below(20), follow: random.oneIn(6), signal };
  const reading = async (): Promise<void> => {
    for await (const { offset, position, valueJson } of life.db.readTopic(topic, options)) {
      const value = valueJson === null ? null : cellsOf(valueJson);
      const mayBeAnother = isChanged();
      life.run.oracle.sawAt(Number(position), (commits) => {
        const stored = find(commits, Number(position), topic, offset);
        const isIt = stored !== undefined && isSameRow(value, stored.value);
        // What nobody has read before its topic was dropped is known to nobody.
        const mayBeGone = mayBeAnother || life.run.oracle.forgetting.isDropped({ topicId: id });
        return isIt || (stored === undefined && mayBeGone)
          ? null
          : `a reader saw ${topic} ${offset}: ${position} ${valueJson}\n  and the log has ${JSON.stringify(stored)}`;
      });
    }
  };
  if (!options.follow) {
    await reading();
    return;
  }
  const followed = reading().catch((error: unknown) => {
    if (!OF_CHANGES.has((error as EvertError).code) || !isChanged()) life.refused(`follow ${topic}`, error);
  });
  life.beside(followed);
}

function find(
  commits: readonly Commit[],
  position: number,
  topic: ShapedName,
  offset: number,
): Stored | undefined {
  return commits[position - 1]?.records.find((r) => r.topic === topic && r.offset === offset);
}

/** All tables, as who reads them finds them in the moment in which columns have changed here. */
export async function readTables(life: Life): Promise<void> {
  const { db, run } = life;
  for (const { name, id } of db.topics()) {
    if (!isShaped(name) || !isKeyed(name)) continue;
    const shape = (run.shapes as Shapes).of(name);
    const isChanged = watched(life, shape);
    try {
      await readRows(life, shape, id);
    } catch (error) {
      // A copy may have taken in the DROP while it read this table, or the one before.
      const isGone = !db.topics().some((topic) => topic.id === id);
      if (!OF_CHANGES.has((error as EvertError).code) || !(isGone || isChanged()))
        life.refused(`read ${name}`, error);
    }
  }
}

/** In whichever columns they come: what each of them has in a row is known. */
async function readRows(life: Life, { topic }: Shape, id: number): Promise<void> {
  const { error, position, results } = await life.db.sql(`SELECT * FROM ${topic}`);
  if (error !== undefined) throw EvertError.from(error);
  const [result] = results;
  if (result === undefined) throw new Violation(`SELECT * FROM ${topic} gave nothing`);
  // Another has its name since, or nothing.
  if (life.db.topics().find(({ name }) => name === topic)?.id !== id) return;
  const names = result.columns.map(({ name }) => columnOf(name));
  const rows = result.rowsJson.map((json): Cells => {
    const values = JSON.parse(json) as unknown[];
    return Object.fromEntries(names.map((name, i) => [name, cellOf(values[i])]));
  });
  life.run.oracle.sawAt(Number(position), (commits) => {
    if (life.run.oracle.forgetting.isDropped({ topicId: id })) return null;
    const wanted = rowsOf(commits, topic, id);
    const left = [...rows];
    for (const row of wanted) {
      const at = left.findIndex((one) => isSameRow(one, row));
      if (at < 0)
        return `SELECT * FROM ${topic} at ${position} lacks ${JSON.stringify(row)}: ${JSON.stringify(rows)}`;
      left.splice(at, 1);
    }
    return left.length === 0
      ? null
      : `SELECT * FROM ${topic} at ${position} has ${JSON.stringify(left)}, and should not`;
  });
  life.told(`SELECT * FROM ${topic}: ${rows.length} rows at ${position}`);
}

function rowsOf(commits: readonly Commit[], topic: ShapedName, id: number): Cells[] {
  const records = commits.flatMap((c) => c.records.filter((r) => r.topic === topic && r.topicId === id));
  if (!isKeyed(topic)) return records.map(({ value }) => value as Cells);
  const rows = new Map<unknown, Cells>();
  for (const { key, value } of records) {
    if (value === null) rows.delete(key);
    else rows.set(key, value as Cells);
  }
  return [...rows.values()];
}
