/** Topics whose columns change, and topics that are dropped and made again under their names, in some of the runs: what they may be by now. A topic is told by its id. */
import type { Database } from "../../../src/engine/database.ts";
import {
  type Columns,
  created,
  declared,
  numberOf,
  SHAPED,
  SHAPED_TOPICS,
  type ShapedName,
} from "./columns.ts";
import { Violation } from "./commits.ts";
import type { Attempt } from "./oracle.ts";

const textOf = (columns: Columns): string => JSON.stringify(columns);

/** One of the topics, as far as is known. */
export class Shape {
  readonly topic: ShapedName;
  /** What it may be by now: more than one, where nobody has said what became of a change. */
  possible: readonly Columns[];
  isBusy = false;
  /** Changes that were begun. */
  changes = 0;
  /** What it has been, or may have been, since it was last looked at. */
  since: readonly Columns[];

  constructor(topic: ShapedName) {
    this.topic = topic;
    this.possible = [SHAPED[topic].forever ? created(topic, 0).columns : null];
    this.since = this.possible;
  }

  /** It is being changed. */
  changing(after: Columns): void {
    this.isBusy = true;
    this.changes++;
    this.possible = [...this.possible, after];
    this.since = [...this.since, after];
  }

  /** null: nobody knows, or it is not there. */
  get columns(): Columns {
    return this.possible.length === 1 ? (this.possible[0] ?? null) : null;
  }
}

interface Change {
  readonly sql: string;
  readonly after: Columns;
}

export class Shapes {
  readonly all: readonly Shape[] = SHAPED_TOPICS.map((topic) => new Shape(topic));
  #nextColumn = 1;
  /** Topics by id that were dropped, and those of them that were since the last look. */
  readonly #dropped = new Set<number>();
  readonly #droppedSince = new Set<number>();
  readonly #writers = new Map<ShapedName, Attempt[]>();

  /** Who has tried to write to the topic of that name. */
  writers(topic: ShapedName): readonly Attempt[] {
    return this.#writers.get(topic) ?? [];
  }

  wrote(topic: ShapedName, attempt: Attempt): void {
    this.#writers.set(topic, [...this.writers(topic), attempt]);
    const { possible } = this.of(topic);
    attempt.mayBeDropped = possible.length > 1 && possible.includes(null);
  }

  dropped(id: number): void {
    this.#dropped.add(id);
    this.#droppedSince.add(id);
  }

  /** Some of what was done since the last look may be in no history that goes on. */
  parted(): void {
    for (const shape of this.all) {
      shape.possible = shape.since;
      shape.changes++;
    }
    for (const id of this.#droppedSince) this.#dropped.delete(id);
  }

  /** A column that nobody has had. */
  nextColumn(): number {
    return this.#nextColumn++;
  }

  of(topic: ShapedName): Shape {
    return this.all.find((shape) => shape.topic === topic) as Shape;
  }

  /** What may be done with the topic; `drawn` draws from so many. */
  change({ topic, columns, possible }: Shape, drawn: (below: number) => number): Change | null {
    if (possible.length > 1) return null;
    if (columns === null) {
      const { sql, columns: after } = created(topic, this.#nextColumn++);
      return { sql, after };
    }
    const all = columns.filter(({ name }) => !Number.isNaN(numberOf(name)));
    const one = all[drawn(all.length)];
    const kind = drawn(SHAPED[topic].forever ? 8 : 11);
    const alter = `ALTER TABLE ${topic}`;
    if (kind < 3 && all.length < 6) {
      const column = this.#nextColumn++;
      const after = [...columns, { name: `c${column}_0`, type: "int4" }];
      return { sql: `${alter} ADD COLUMN ${declared(column)}`, after };
    }
    if (kind >= 8) return { sql: `DROP TABLE ${topic}`, after: null };
    if (one === undefined) return null;
    // What views read stays.
    const stays = SHAPED[topic].forever && numberOf(one.name) === 0;
    const others = columns.filter((column) => column !== one);
    if (kind < 4 && !stays) {
      const column = this.#nextColumn++;
      const after = [...others, { name: `c${column}_0`, type: "int4" }];
      return { sql: `${alter} DROP COLUMN ${one.name}, ADD COLUMN ${declared(column)}`, after };
    }
    if (kind < 5 && !stays) return { sql: `${alter} DROP COLUMN ${one.name}`, after: others };
    if (kind < 7) {
      const name = one.name.replace(/\d+$/, (times) => String(Number(times) + 1));
      return {
        sql: `${alter} RENAME COLUMN ${one.name} TO ${name}`,
        after: columns.map((column) => (column === one ? { ...one, name } : column)),
      };
    }
    if (stays || one.type === "numeric") return null;
    const type = one.type === "int4" && drawn(2) === 0 ? "int8" : "numeric";
    return {
      sql: `${alter} ALTER ${one.name} TYPE ${type}`,
      after: columns.map((column) => (column === one ? { ...one, type } : column)),
    };
  }

  /** What is there now is one of what may be, and from here on it is known. @throws Violation */
  looked(db: Database): void {
    const there = new Set(db.topics().map(({ name }) => name));
    for (const shape of this.all) {
      const { topic, possible } = shape;
      const info = there.has(topic) ? db.topic(topic) : null;
      const is =
        info === null ? null : info.schema.fields.map(({ name, type }) => ({ name, type: type.name }));
      if (!possible.some((columns) => textOf(columns) === textOf(is)))
        throw new Violation(
          `${topic} is ${textOf(is)}, and should be one of ${possible.map(textOf).join(" or ")}`,
        );
      if (info !== null && this.#dropped.has(info.id))
        throw new Violation(`${topic} is topic ${info.id}, which was dropped`);
      shape.possible = [is];
      shape.since = [is];
    }
    this.#droppedSince.clear();
  }
}
