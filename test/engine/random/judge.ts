/**
 * A case in Evert and in PostgreSQL side by side. After every commit each view holds what PostgreSQL answers to its query, or fails with its
 * SQLSTATE. Then the same in other ways, which must all come to the same:
 * - each query ad hoc, beside the views that keep it (and what it is when nothing is kept, the last of these shows);
 * - the log alone, which makes one big step of many small ones;
 * - all views before the first row, and all after the last, in another order.
 */
import type { Database } from "../../../src/engine/database.ts";
import type { OpenEngineOptions } from "../../../src/engine/open-engine.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { openInMemory } from "../support/memory.ts";
import type { Answer, Postgres } from "../support/postgres.ts";
import { adHoc, difference, maintained, type TextRow } from "../support/views.ts";
import type { Case, Event } from "./case.ts";
import { textOf } from "./fragment.ts";

type View = Event & { kind: "view" };
type Commit = Event & { kind: "commit" };

export interface Verdict {
  /** What is wrong; null: nothing is. */
  readonly wrong: string | null;
  /** What may be compared, to see to it that there is something. */
  readonly compared: number;
  /** Views that PostgreSQL or Evert does not take, which are left out. */
  readonly left: readonly string[];
}

/** What the database is opened with. */
type How = Pick<OpenEngineOptions, "warm" | "workers">;

class Wrong extends Error {}

/** `how`: `warm` 0: rows of tables go to disk as soon as they may; `workers`: threads that keep its views. */
export async function judge(postgres: Postgres, events: Case, how: How = {}): Promise<Verdict> {
  const trial = new Trial(postgres, how);
  try {
    await trial.run(events);
    return { wrong: null, compared: trial.compared, left: trial.left };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return { wrong: error.message, compared: trial.compared, left: trial.left };
  } finally {
    await trial.close();
  }
}

class Trial {
  readonly #postgres: Postgres;
  #disk = new SimulatedDisk();
  #withoutPower: SimulatedDisk | null = null;
  #engine: Database | null = null;
  readonly #views: View[] = [];
  /** What PostgreSQL answers at the end, by view. */
  readonly #answers = new Map<string, Answer>();
  readonly left: string[] = [];
  compared = 0;

  readonly #how: How;

  constructor(postgres: Postgres, how: How) {
    this.#postgres = postgres;
    this.#how = how;
  }

  async close(): Promise<void> {
    await this.#engine?.close().catch(() => {});
  }

  async run(events: Case): Promise<void> {
    await this.#postgres.reset();
    let engine = await this.#open(this.#disk);
    const done: Event[] = [];
    for (const event of events) {
      switch (event.kind) {
        case "table":
          await this.#postgres.define(event.sql.replace(" WITH (append_only)", ""));
          await this.#tell(engine, event.sql);
          break;
        case "view":
          if (!(await this.#makeView(engine, event))) continue;
          await this.#compareAll(engine, this.#views, `when ${event.name} is made`);
          break;
        case "commit":
          await this.#commit(engine, event);
          await this.#compareAll(engine, this.#views, `after ${event.statements.at(-1)}`);
          break;
        case "stop":
          engine = await this.#stop(engine, event.how);
          await this.#compareAll(engine, this.#views, `after a stop: ${event.how}`);
      }
      done.push(event);
    }
    await this.#adHoc(engine);
    await engine.close();
    await this.#fromTheLog();
    await this.#otherwise(done, "views first");
    await this.#otherwise(done, "data first");
  }

  async #open(disk: SimulatedDisk): Promise<Database> {
    this.#engine = await openInMemory(disk, {
      ...this.#how,
      report: (message) => {
        // Of a machine without power nothing is to be expected.
        if (disk !== this.#withoutPower) throw new Wrong(message);
      },
    });
    await this.#engine.built();
    return this.#engine;
  }

  async #tell(engine: Database, sql: string): Promise<void> {
    const { error } = await engine.sql(sql);
    if (error !== undefined) throw new Wrong(`${error.sqlstate} ${error.message}\n${sql}`);
  }

  /** False when one of both does not take it. */
  async #makeView(engine: Database, view: View): Promise<boolean> {
    const body = textOf(view.body);
    const theirs = await this.#postgres.query(`CREATE VIEW ${view.name} AS ${body}`);
    const { error } = await engine.sql(`CREATE MATERIALIZED VIEW ${view.name} AS ${body}`);
    if (theirs.refused !== null) {
      if (error === undefined) await this.#tell(engine, `DROP MATERIALIZED VIEW ${view.name}`);
      this.left.push(`PostgreSQL ${theirs.refused}: ${body}`);
      return false;
    }
    if (error !== undefined) {
      if (error.sqlstate !== "0A000") throw new Wrong(`${error.sqlstate} ${error.message}\n${body}`);
      await this.#postgres.define(`DROP VIEW ${view.name}`);
      this.left.push(`Evert ${error.message}: ${body}`);
      return false;
    }
    await engine.built();
    this.#views.push(view);
    return true;
  }

  async #commit(engine: Database, { statements, end }: Commit): Promise<void> {
    const theirs = await this.#postgres.transaction(statements, end);
    const { error, results } = await engine.sql(["BEGIN", ...statements, end].join("; "));
    const ours = error?.sqlstate ?? null;
    const said = statements.join(";\n");
    if (ours !== theirs.refused) {
      throw new Wrong(`a commit says ${ours} ${error?.message ?? ""}, not ${theirs.refused}\n${said}`);
    }
    if (ours !== null) return;
    const affected = results.reduce((sum, r) => sum + Number(/\d+$/.exec(r.command)?.[0] ?? 0), 0);
    if (affected !== theirs.affected) {
      throw new Wrong(`a commit changes ${affected} rows, not ${theirs.affected}\n${said}`);
    }
  }

  async #compareAll(engine: Database, views: readonly View[], when: string): Promise<void> {
    for (const view of views) {
      const theirs = await this.#postgres.query(`SELECT * FROM ${view.name}`);
      this.#answers.set(view.name, theirs);
      this.#same(view, await maintained(engine, view.name), theirs, when);
    }
  }

  #same(view: View, ours: TextRow[] | { sqlstate: string }, theirs: Answer, when: string): void {
    // PostgreSQL has joins that it cannot do; we have not.
    if (theirs.refused === "0A000") return;
    this.compared++;
    const said = `view ${view.name}, ${when}`;
    const failed = "sqlstate" in ours ? ours.sqlstate : null;
    if (failed !== null && this.#failsBelow(view, failed)) return;
    if (failed !== null || theirs.refused !== null) {
      if (failed !== theirs.refused) throw new Wrong(`${said}: fails with ${failed}, not ${theirs.refused}`);
      return;
    }
    const wrong = difference(ours as TextRow[], theirs.rows, view.floats);
    if (wrong !== null) throw new Wrong(`${said}: ${wrong}`);
  }

  /** A view is data to those that read it, so one that fails fails them; PostgreSQL reads through it, and may never come to what fails. */
  #failsBelow(view: View, sqlstate: string): boolean {
    return readBy(view, this.#views).some((read) => this.#answers.get(read.name)?.refused === sqlstate);
  }

  async #stop(engine: Database, how: "checkpoint" | "close" | "power cut"): Promise<Database> {
    if (how === "checkpoint") {
      await engine.checkpoint();
      return engine;
    }
    if (how === "close") await engine.close();
    const old = this.#disk;
    if (how === "power cut") {
      this.#withoutPower = old;
      this.#disk = old.reboot("power cut");
      await engine.close().catch(() => {});
    }
    return this.#open(this.#disk);
  }

  async #adHoc(engine: Database): Promise<void> {
    for (const view of this.#views) {
      const ours = await adHoc(engine, textOf(view.body));
      this.#same(view, ours, this.#answers.get(view.name) as Answer, "ad hoc");
    }
  }

  async #fromTheLog(): Promise<void> {
    for (const path of this.#disk.files()) if (!path.includes("/log/")) await this.#disk.unlink(path);
    const engine = await this.#open(this.#disk);
    await this.#compareFinal(engine, "from the log alone");
    await engine.close();
  }

  async #compareFinal(engine: Database, when: string): Promise<void> {
    for (const view of this.#views) {
      this.#same(view, await maintained(engine, view.name), this.#answers.get(view.name) as Answer, when);
    }
  }

  /** The same history with all views at one end of it, and made in another order. */
  async #otherwise(events: Case, order: "views first" | "data first"): Promise<void> {
    const tables = events.filter((e) => e.kind === "table");
    const commits = events.filter((e) => e.kind === "commit");
    const views = backwards(this.#views);
    const engine = await this.#open(new SimulatedDisk());
    const parts: Case =
      order === "views first" ? [...tables, ...views, ...commits] : [...tables, ...commits, ...views];
    for (const event of parts) {
      if (event.kind === "table") await this.#tell(engine, event.sql);
      else if (event.kind === "commit")
        await engine.sql(["BEGIN", ...event.statements, event.end].join("; "));
      else if (event.kind === "view") {
        await this.#tell(engine, `CREATE MATERIALIZED VIEW ${event.name} AS ${textOf(event.body)}`);
      }
    }
    await engine.built();
    await this.#compareFinal(engine, order);
    await engine.close();
  }
}

/** The last first, but each behind those it reads. */
function backwards(views: readonly View[]): View[] {
  const placed: View[] = [];
  const place = (view: View): void => {
    if (placed.includes(view)) return;
    for (const other of readBy(view, views)) place(other);
    placed.push(view);
  };
  for (const view of views.toReversed()) place(view);
  return placed;
}

function readBy(view: View, views: readonly View[]): View[] {
  const text = textOf(view.body);
  return views.filter((other) => other !== view && new RegExp(`\\b${other.name}\\b`).test(text));
}
