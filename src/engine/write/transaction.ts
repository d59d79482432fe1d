/**
 * Transactions that read: db.transact(work).
 *
 * 1. `work` reads rows and says what is to be appended and deleted. Each read is of the newest complete step, be it durable or not, and is taken down
 *    with what it gave; before it is given, all earlier reads are looked at again if there has been a step since. So all that `work` has seen at any
 *    time is of one position.
 * 2. At its end everything before has been stepped and nothing else can be staged; the reads are looked at once more. If they still give the same,
 *    the rows are staged: the transaction is as if it had run in that moment. It waits for its own fdatasync and for none before.
 * 3. If a read gives something else, all of it is forgotten and `work` runs again. Those that run again because of the same row take turns, which end
 *    when what they write is staged, or by themselves, so that of many that want it each one has its turn; who runs for the first time does not wait.
 *
 * A row is looked at again by its name, its key and its values: one that was changed and changed back is no conflict, nor is a table made anew in
 * which it is the same. That it could not be read is a reading, too. Of a list of rows it is asked whether anything that it is made from has been
 * written. What `work` throws is believed when its reads still hold and are durable.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { EvertError, notSupported } from "../../base/errors.ts";
import type { Datum } from "../../batch/convert.ts";
import { sourceIds } from "../../plan/inspect.ts";
import { readRows } from "../../views/read-rows.ts";
import { RowEncoder } from "../../views/row-encoder.ts";
import type { View } from "../../views/view.ts";
import type { Key, Row, RowsQuery } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import { TICK_ENTRY } from "../catalog/hidden-topics.ts";
import type { Core } from "../core.ts";
import { placedOf } from "../evolution/evolved.ts";
import type { Rider } from "../own/rider.ts";
import { Turns } from "../turns.ts";
import type { Part } from "./part.ts";
import { deletePart, keyDatums, keyTopic, upsertPart } from "./request-parts.ts";
import { TableRows } from "./table-rows.ts";

/** After so many runs it is said that it cannot be done. */
const RUNS_MAX = 64;
/** How long the next one that runs again because of the same row waits for the one before. */
const TURN_MS = 100;
const READS_MAX = 100_000;
/** UTF-16 units of the rows read. */
const READ_UNITS_MAX = 32 << 20;
/** How often reads are looked at while steps go on, before they wait. */
const ROUNDS_FREE = 2;

/** What a transaction's work reads and writes by. */
export interface TransactionWork {
  /** The row of a table, or of a view, with this key. @throws EvertError; a conflict is not to be caught: the work runs again. */
  get(name: string, key: Key): Promise<Row | undefined>;
  /** Rows of a view. */
  rows(name: string, query?: Omit<RowsQuery, "atLeast" | "timeoutMs">): Promise<Row[]>;
  append(name: string, rows: readonly unknown[]): void;
  delete(name: string, keys: readonly Key[]): void;
}

type Work<T> = (transaction: TransactionWork) => Promise<T> | T;

interface Done<T> {
  readonly position: string;
  readonly result: T;
}

/** What was read gives something else by now. */
interface Conflict {
  /** Which row, or which list. */
  readonly conflict: string;
}

const CONFLICT = "the transaction was decided by rows that have changed since";

export class Transactions {
  readonly #core: () => Core;
  /** By what was in conflict, the last of those that run again because of it. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(core: () => Core) {
    this.#core = core;
  }

  /**
   * `rider`: what goes into its commit, also where it writes nothing itself. @throws EvertError what the work throws; conflict where it ran again and
   * again and something always came in between
   */
  async run<T>(work: Work<T>, rider?: Rider): Promise<Done<T>> {
    await this.#core().caughtUp();
    const { stepper, stepPositions, log, publisher } = this.#core();
    if (!publisher.moments.isWhole) await publisher.moments.wait();
    // What has been acknowledged by now is read, though it may not be stepped yet.
    if (stepPositions.newest.position < log.durablePosition) await stepper.atBoundary(() => {});
    let outcome = await this.#attempt(work, rider);
    for (let run = 1; run < RUNS_MAX && "conflict" in outcome; run++)
      outcome = await this.#again(work, outcome, rider);
    if (!("conflict" in outcome)) return outcome;
    throw new EvertError("conflict", CONFLICT, {
      detail: `It ran ${RUNS_MAX} times, and each time something else was committed first; the last time ${outcome.conflict}.`,
      hint: "Read less, or let what changes those rows do less often so.",
    });
  }

  async #again<T>(
    work: Work<T>,
    { conflict }: Conflict,
    rider: Rider | undefined,
  ): Promise<Done<T> | Conflict> {
    const before = this.#turns.get(conflict);
    let end: () => void = () => {};
    const turn = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#turns.set(conflict, turn);
    await before;
    // Its work may be held up by something else: turns are for fairness, not for what is right.
    const timer = setTimeout(end, TURN_MS);
    try {
      const { log, stepper } = this.#core();
      log.seal();
      await stepper.atBoundary(() => {});
      return await this.#attempt(work, rider, end);
    } finally {
      clearTimeout(timer);
      end();
      if (this.#turns.get(conflict) === turn) this.#turns.delete(conflict);
    }
  }

  /** `onStaged`: what it writes is staged; others may be decided by it before it is durable. */
  async #attempt<T>(
    work: Work<T>,
    rider: Rider | undefined,
    onStaged: () => void = () => {},
  ): Promise<Done<T> | Conflict> {
    const core = this.#core();
    const attempt = new Attempt(core);
    let result: T;
    try {
      result = await work(attempt);
    } catch (error) {
      attempt.end();
      await nextTurn();
      await core.stepper.atBoundary(() => attempt.look());
      if (attempt.conflict !== null) return { conflict: attempt.conflict };
      await core.durability.told(attempt.position);
      throw error;
    }
    attempt.end();
    if (attempt.conflict !== null) return { conflict: attempt.conflict };
    const { parts } = attempt;
    if (parts.length === 0 && rider === undefined) {
      // What was read may not be durable yet. Who only reads, again and again, would else keep the event loop to itself.
      await nextTurn();
      await core.durability.told(attempt.position);
      return { position: String(attempt.position), result };
    }
    const receipt = await core.committer.exclusively(
      async () => {
        await attempt.hold();
        return attempt.conflict === null ? parts : null;
      },
      { onStaged, rider },
    );
    if (receipt !== null) return { position: String(receipt.position), result };
    return { conflict: attempt.conflict ?? CONFLICT };
  }
}

/** Something that was read. */
interface Read {
  readonly label: string;
  /** Brings what it needs from disk; null: it is there. */
  readonly bring: () => Promise<void> | null;
  /** What it gives now, as text; that it fails is a text, too. */
  readonly look: () => string;
}

interface Taken extends Read {
  readonly gave: string;
}

interface Source {
  readonly table: TableRows;
  readonly encoder: RowEncoder;
}

class Attempt implements TransactionWork {
  readonly #core: Core;
  readonly #reads: Taken[] = [];
  #units = 0;
  readonly parts: Part[] = [];
  /** By topic, the keys of rows that are written. */
  readonly #written = new Map<number, Set<string>>();
  /** Parts whose keys are in it. */
  #noted = 0;
  readonly #sources = new Map<number, Source>();
  /** The step as of which all reads gave what they gave, and its position. */
  #heldAt: number;
  position: number;
  /** What gives something else by now; null: nothing is known of that. */
  conflict: string | null = null;
  #hasEnded = false;

  constructor(core: Core) {
    this.#core = core;
    ({ epoch: this.#heldAt, position: this.position } = core.stepPositions.newest);
  }

  /** Its work has ended: it neither reads nor writes any more. */
  end(): void {
    this.#hasEnded = true;
  }

  /**
   * Looks at all reads again, as of one step, and at whether what is written to is still there. A step that comes meanwhile makes that worth nothing,
   * and while somebody writes there may be always one: called where none comes, at a boundary, or looked once more (hold).
   */
  async look(): Promise<void> {
    const { catalog, stepPositions, publisher } = this.#core;
    const { epoch, position } = stepPositions.newest;
    // On a replica: nothing is written there, but it may be read.
    if (!publisher.moments.has(position)) throw publisher.moments.refusal();
    if (epoch !== this.#heldAt) await this.#lookAtAll();
    if (this.conflict !== null || stepPositions.newest.epoch !== epoch) return;
    this.#heldAt = epoch;
    this.position = position;
    const gone = this.parts.find(({ topic }) => catalog.byId(topic.id) === undefined);
    if (gone !== undefined) this.conflict = `"${gone.topic.name}" was dropped`;
  }

  get #holds(): boolean {
    const { stepPositions, publisher } = this.#core;
    const { epoch, position } = stepPositions.newest;
    // Amid a commit that is taken in parts no step is newer yet, but rows of the newest are gone.
    return this.conflict === null && epoch === this.#heldAt && publisher.moments.has(position);
  }

  /** Looks until all reads hold as of the newest step, or there is a conflict. `bring`: what is to be in memory then, too. */
  async hold(bring: () => Promise<void> | null = () => null): Promise<void> {
    const { moments } = this.#core.publisher;
    for (let round = 0; round < ROUNDS_FREE; round++) {
      if (!moments.isWhole) await moments.wait();
      await this.look();
      if (this.conflict !== null) return;
      const brought = bring();
      if (brought !== null) await brought;
      if (this.#holds) return;
    }
    // Steps come faster than all reads can be looked at.
    await this.#core.stepper.atBoundary(async () => {
      await this.look();
      if (this.conflict === null) await bring();
    });
  }

  async #lookAtAll(): Promise<void> {
    const turns = new Turns(this.#core.slices);
    for (const { label, bring, look, gave } of this.#reads) {
      if (turns.due()) await turns.take();
      const brought = bring();
      if (brought !== null) await brought;
      if (look() === gave) continue;
      this.conflict ??= label;
      return;
    }
  }

  async get(name: string, key: Key): Promise<Row | undefined> {
    this.#check();
    const isView = this.#core.catalog.entry(name)?.kind === "view";
    return isView ? this.#getOfView(name, key) : this.#getOfTable(name, key);
  }

  #getOfView(name: string, key: Key): Promise<Row | undefined> {
    const { stepPositions } = this.#core;
    this.#refuseWrittenSources(name);
    const find = (): { encoder: RowEncoder; slot: number } => {
      const view = this.#view(name);
      return { encoder: view.encoder, slot: view.find(key, stepPositions.newest.epoch) };
    };
    const bring = (): Promise<void> | null => unlessRefused(() => this.#view(name).bring(key));
    return this.#read(`${name} ${JSON.stringify(key, bigintText)}`, find, bring);
  }

  #getOfTable(name: string, key: Key): Promise<Row | undefined> {
    const { stepPositions } = this.#core;
    const place = (): Source & { readonly key: readonly Datum[] } => {
      const source = this.#source(keyTopic(this.#core, name));
      return { ...source, key: keyDatums(source.table.topic, key, "key") };
    };
    const find = (): { encoder: RowEncoder; slot: number } => {
      const { table, encoder, key: datums } = place();
      return { encoder, slot: table.find(datums, stepPositions.newest.epoch) };
    };
    const bring = (): Promise<void> | null => {
      const known = unlessRefused(place);
      return known === null ? null : known.table.bring(known.key);
    };
    const known = this.parts.length === 0 ? null : unlessRefused(place);
    if (known !== null) this.#refuseWritten(known.table, known.table.keyText(known.key));
    return this.#read(`${name} ${JSON.stringify(key, bigintText)}`, find, bring);
  }

  /** A table as it is by now: what has its name may have been made anew. */
  #source(topic: TopicEntry): Source {
    let source = this.#sources.get(topic.id);
    if (source === undefined) {
      const store = this.#core.tables.store(topic.id)!;
      const encoder = new RowEncoder(store, topic.schema.fields, topic.key, placedOf(topic).places);
      this.#sources.set(topic.id, (source = { table: new TableRows(topic, store, []), encoder }));
    }
    return source;
  }

  #read(
    label: string,
    find: () => { readonly encoder: RowEncoder; readonly slot: number },
    bring: () => Promise<void> | null,
  ): Promise<Row | undefined> {
    this.#core.stepper.lookedFor();
    const look = (): string => {
      try {
        const { encoder, slot } = find();
        return slot < 0 ? "" : encoder.rowJson(slot);
      } catch (error) {
        if (error instanceof EvertError) return error.code;
        throw error;
      }
    };
    return this.#take({ label, bring, look }, () => {
      const { encoder, slot } = find();
      return slot < 0 ? undefined : encoder.row(slot);
    });
  }

  async rows(name: string, query: RowsQuery = {}): Promise<Row[]> {
    this.#check();
    const core = this.#core;
    if (core.catalog.entry(name)?.kind !== "view") {
      throw new EvertError("wrong_object_type", `"${name}" is not a view`, {
        hint: "Read a table's rows by their keys, or make a view of those that are wanted.",
      });
    }
    this.#refuseWrittenSources(name);
    const { id } = core.catalog.view(name);
    const topics = [...topicsOf(core, id)];
    let since = Number.POSITIVE_INFINITY;
    const look = (): string => {
      if (core.catalog.entry(name)?.id !== id) return "gone";
      return topics.every((topic) => core.committer.lastWritten.of(topic).to <= since) ? "same" : "changed";
    };
    const rows = await this.#take({ label: name, bring: () => null, look }, async () => {
      const view = this.#view(name);
      const { epoch, position } = core.stepPositions.newest;
      since = position;
      const found: Row[] = [];
      const chunks = readRows(view, epoch, query, (encoder, slot) => encoder.row(slot), {
        turn: () => core.chores.turn(),
        looked: () => core.stepper.lookedFor(),
      });
      for await (const chunk of chunks) for (const row of chunk) found.push(row);
      return found;
    });
    await this.hold();
    this.#check();
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
  #refuseWritten(table: TableRows, key: string): void {
    for (; this.#noted < this.parts.length; this.#noted++) {
      const part = this.parts[this.#noted] as Part;
      const { topic } = part;
      if (part.op === "batch" || topic.topicKind === "stream" || topic.hiddenRowId) continue;
      const written = this.#source(topic).table;
      let keys = this.#written.get(topic.id);
      if (keys === undefined) this.#written.set(topic.id, (keys = new Set()));
      for (const row of part.rows) keys.add(written.keyText(keyDatums(topic, row, part.path)));
    }
    if (this.#written.get(table.topic.id)?.has(key) !== true) return;
    const hint = "Read rows before they are written.";
    throw notSupported("reading a row that the same transaction has written", undefined, hint);
  }

  /** A view does not show what has been written and not committed. @throws EvertError feature_not_supported */
  #refuseWrittenSources(name: string): void {
    if (this.parts.length === 0) return;
    const topics = topicsOf(this.#core, this.#core.catalog.view(name).id);
    if (!this.parts.some(({ topic }) => topics.has(topic.id))) return;
    const hint = "Read views before what they are made from is written.";
    throw notSupported("reading a view of what the same transaction has written", undefined, hint);
  }

  #view(name: string): View {
    const { views, stepPositions } = this.#core;
    const live = views.named(name);
    if (views.staleRows(live) === null) return views.sound(live, stepPositions.newest.epoch);
    throw new EvertError("not_ready", `view "${name}" is made anew`, {
      detail: "A transaction is not decided by what it showed before.",
      hint: "Run it again in a moment.",
    });
  }

  /**
   * Takes the read down, as of a step as of which all others hold, and gives what `give` makes of it in the same stretch. @throws EvertError conflict
   */
  async #take<T>(read: Read, give: () => T): Promise<Awaited<T>> {
    for (;;) {
      await this.hold(read.bring);
      this.#check();
      // Who reads beside may have taken the turn before.
      if (!this.#holds) continue;
      const gave = read.look();
      this.#units += gave.length;
      if (this.#reads.length >= READS_MAX || this.#units > READ_UNITS_MAX) {
        throw new EvertError("statement_too_complex", "the transaction reads too much", {
          detail: `It may read ${READS_MAX} times, and ${READ_UNITS_MAX >> 20} Mi characters.`,
          hint: "Make a view of what it reads.",
        });
      }
      this.#reads.push({ ...read, gave });
      return await give();
    }
  }

  /** @throws EvertError where it may not go on */
  #check(): void {
    if (this.conflict !== null) {
      const hint = "Let the error pass: the transaction runs again by itself.";
      throw new EvertError("conflict", CONFLICT, { detail: `${this.conflict}.`, hint });
    }
    if (!this.#hasEnded) return;
    throw new EvertError("invalid_request", "the transaction has ended", {
      hint: "Await all of its reads, and write only before its function returns.",
    });
  }
}

/** Null: it is refused, which whoever reads is told. */
function unlessRefused<T>(make: () => T): T | null {
  try {
    return make();
  } catch (error) {
    if (error instanceof EvertError) return null;
    throw error;
  }
}

function bigintText(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
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
