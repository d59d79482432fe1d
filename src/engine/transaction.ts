/**
 * Transactions that read: db.transact(work).
 *
 * 1. `work` reads rows and says what is to be appended and deleted. Each read is of the newest complete step, be it durable or not, and is taken down with what
 *    it gave; before it is given, all earlier reads are looked at again. So all that `work` has seen at any time is of one position.
 * 2. At its end everything before has been stepped and nothing else can be staged; the reads are looked at once more. If they still give the same, the
 *    rows are staged: the transaction is as if it had run in that moment. It waits for its own fdatasync and for none before.
 * 3. If a read gives something else, all of it is forgotten and `work` runs again. Those that run again wait for each other, so that of many that
 *    want the same row each one has its turn; who runs for the first time does not wait.
 *
 * A row is looked at again by its values: one that was changed and changed back is no conflict. Of a list of rows it is asked whether anything that it is
 * made from has been written.
 */
import { EvertError, notSupported } from "../base/errors.ts";
import { sourceIds } from "../plan/inspect.ts";
import { RowEncoder } from "../views/row-encoder.ts";
import type { View } from "../views/view.ts";
import type { AppendOptions, Key, Row, RowsQuery } from "./api.ts";
import { TICK_ENTRY } from "./catalog.ts";
import type { Core } from "./core.ts";
import type { Part } from "./part.ts";
import { deletePart, keyDatums, keyTopic, upsertPart } from "./request-parts.ts";
import { TableRows } from "./table-rows.ts";

/** After so many runs it is said that it cannot be done. */
const RUNS_MAX = 64;
const READS_MAX = 100_000;

/** What a transaction's work reads and writes by. */
export interface TransactionWork {
  /** The row of a table, or of a view, with this key. @throws EvertError; a conflict is not to be caught: the work runs again. */
  get(name: string, key: Key): Promise<Row | undefined>;
  /** Rows of a view. */
  rows(name: string, query?: Omit<RowsQuery, "atLeast" | "timeoutMs">): Promise<Row[]>;
  append(name: string, rows: readonly unknown[]): void;
  delete(name: string, keys: readonly Key[]): void;
}

/** Something that was read; resolves to whether it would be the same now. */
type Read = () => boolean | Promise<boolean>;

const CONFLICT = "the transaction was decided by rows that have changed since";

export class Transactions {
  readonly #core: () => Core;
  /** The last of those that run again. */
  #queue: Promise<void> = Promise.resolve();

  constructor(core: () => Core) {
    this.#core = core;
  }

  /** @throws EvertError what the work throws; conflict where it ran again and again and something always came in between */
  async run<T>(
    work: (transaction: TransactionWork) => Promise<T> | T,
    options: AppendOptions,
  ): Promise<{ position: string; result: T }> {
    const first = await this.#attempt(work, options);
    return first ?? (await this.#inTurn(() => this.#again(work, options)));
  }

  async #again<T>(
    work: (transaction: TransactionWork) => Promise<T> | T,
    options: AppendOptions,
  ): Promise<{ position: string; result: T }> {
    for (let run = 1; run < RUNS_MAX; run++) {
      const { log, stepper } = this.#core();
      // What has been committed by now is read, also if it is not yet stepped.
      log.seal();
      await stepper.atBoundary(() => {});
      const done = await this.#attempt(work, options);
      if (done !== null) return done;
    }
    throw new EvertError("conflict", CONFLICT, {
      detail: `It ran ${RUNS_MAX} times, and each time something else was committed first.`,
      hint: "Read less, or let what changes those rows do less often so.",
    });
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#queue;
    let end: () => void = () => {};
    this.#queue = new Promise((resolve) => {
      end = resolve;
    });
    await before;
    try {
      return await run();
    } finally {
      end();
    }
  }

  /** Null: something has come in between. */
  async #attempt<T>(
    work: (transaction: TransactionWork) => Promise<T> | T,
    options: AppendOptions,
  ): Promise<{ position: string; result: T } | null> {
    const core = this.#core();
    const attempt = new Attempt(core);
    let result: T;
    try {
      result = await work(attempt);
    } catch (error) {
      if (attempt.isDoomed) return null;
      throw error;
    } finally {
      attempt.end();
    }
    if (attempt.isDoomed) return null;
    const { parts } = attempt;
    if (parts.length === 0) {
      // What was read may not be durable yet.
      await core.durable(attempt.position);
      return { position: String(attempt.position), result };
    }
    const receipt = await core.committer.exclusively(
      async () => ((await attempt.holds()) ? parts : null),
      options,
    );
    return receipt === null ? null : { position: String(receipt.position), result };
  }
}

class Attempt implements TransactionWork {
  readonly #core: Core;
  readonly #reads: Read[] = [];
  readonly parts: Part[] = [];
  /** Of the state that it has seen. */
  position: number;
  isDoomed = false;
  #hasEnded = false;

  constructor(core: Core) {
    this.#core = core;
    this.position = core.stepper.position;
  }

  /** Its work has ended: it neither reads nor writes any more. */
  end(): void {
    this.#hasEnded = true;
  }

  /** Whether all that was read is still so. */
  async holds(): Promise<boolean> {
    const { stepper } = this.#core;
    for (;;) {
      const { epoch } = stepper;
      for (const read of this.#reads) {
        const same = read();
        if (!(typeof same === "boolean" ? same : await same)) return false;
      }
      // A row that came from disk took its time.
      if (stepper.epoch === epoch) return true;
    }
  }

  async get(name: string, key: Key): Promise<Row | undefined> {
    this.#check();
    const { catalog } = this.#core;
    if (catalog.entry(name)?.kind === "view") {
      const read = (): { view: View; slot: number } => {
        const view = this.#view(name);
        return { view, slot: view.find(key, this.#core.stepper.epoch) };
      };
      const json = (): string | null => {
        const { view, slot } = read();
        return slot < 0 ? null : view.encoder.rowJson(slot);
      };
      return this.#taken(json, () => {
        const { view, slot } = read();
        return slot < 0 ? undefined : view.encoder.row(slot);
      });
    }
    const topic = keyTopic(this.#core, name);
    const datums = keyDatums(topic, key, "key");
    const store = this.#core.tableStore(topic.id)!;
    const table = new TableRows(topic, store, []);
    this.#refuseWritten(table, table.keyText(datums));
    const encoder = new RowEncoder(store, topic.schema.fields, topic.key);
    const find = (): number => table.find(datums, this.#core.stepper.epoch);
    return this.#taken(
      () => (find() < 0 ? null : encoder.rowJson(find())),
      () => (find() < 0 ? undefined : encoder.row(find())),
      () => table.bring(datums),
    );
  }

  async #taken(
    json: () => string | null,
    row: () => Row | undefined,
    bring: () => Promise<void> | null = () => null,
  ): Promise<Row | undefined> {
    this.#core.stepper.lookedFor();
    const brought = bring();
    if (brought !== null) await brought;
    const seen = json();
    const given = row();
    this.#take(() => {
      const again = bring();
      return again === null ? json() === seen : again.then(() => json() === seen);
    });
    await this.#refuseChanged();
    return given;
  }

  async rows(name: string, query: RowsQuery = {}): Promise<Row[]> {
    this.#check();
    const core = this.#core;
    if (core.catalog.entry(name)?.kind !== "view") {
      throw new EvertError("wrong_object_type", `"${name}" is not a view`, {
        hint: "Read a table's rows by their keys, or make a view of those that are wanted.",
      });
    }
    const view = this.#view(name);
    const { epoch, position } = core.stepper;
    const topics = topicsOf(core, core.catalog.view(name).id);
    this.#take(() => [...topics].every((id) => core.committer.lastWrittenTo(id).to <= position));
    const rows: Row[] = [];
    await view.scan(epoch, query, (slot) => rows.push(view.encoder.row(slot)), {
      turn: () => core.chores.turn(),
    });
    await this.#refuseChanged();
    return rows;
  }

  append(name: string, rows: readonly unknown[]): void {
    this.#check();
    this.parts.push(upsertPart(this.#core, name, rows, `append ${this.parts.length + 1}`));
  }

  delete(name: string, keys: readonly Key[]): void {
    this.#check();
    this.parts.push(deletePart(this.#core, name, keys, `delete ${this.parts.length + 1}`));
  }

  /** @throws EvertError feature_not_supported */
  #refuseWritten(table: TableRows, wanted: string): void {
    const { topic } = table;
    for (const part of this.parts) {
      if (part.topic.id !== topic.id || part.op === "batch") continue;
      for (const row of part.rows) {
        if (table.keyText(keyDatums(topic, row, part.path)) === wanted)
          throw notSupported(
            "reading a row that the same transaction has written",
            undefined,
            "Read rows before they are written.",
          );
      }
    }
  }

  #view(name: string): View {
    const { views } = this.#core;
    const live = views.named(name);
    if (views.staleRows(live) === null) return views.sound(live);
    throw new EvertError("not_ready", `view "${name}" is made anew`, {
      detail: "A transaction is not decided by what it showed before.",
      hint: "Run it again in a moment.",
    });
  }

  #take(read: Read): void {
    if (this.#reads.length >= READS_MAX) {
      throw new EvertError("statement_too_complex", `a transaction may read ${READS_MAX} times`, {
        hint: "Make a view of what it reads.",
      });
    }
    this.#reads.push(read);
  }

  /** @throws EvertError conflict */
  async #refuseChanged(): Promise<void> {
    const isSame = await this.holds();
    this.#check();
    if (isSame) {
      this.position = this.#core.stepper.position;
      return;
    }
    this.isDoomed = true;
    throw new EvertError("conflict", CONFLICT, {
      hint: "Let the error pass: the transaction runs again by itself.",
    });
  }

  #check(): void {
    if (this.#hasEnded) {
      throw new EvertError("invalid_request", "the transaction has ended", {
        hint: "Await all of its reads, and write only before its function returns.",
      });
    }
  }
}

/** Ids of all topics that a view is made from; the ticks, too, which may change it. */
function topicsOf(
  core: Core,
  id: number,
  found: Set<number> = new Set([TICK_ENTRY.id]),
): ReadonlySet<number> {
  const query = core.views.get(id)?.query;
  if (query == null) return found.add(id);
  for (const source of sourceIds(query.plan)) topicsOf(core, source, found);
  return found;
}
