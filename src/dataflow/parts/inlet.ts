/**
 * A part's place in the circuit: its rows come from the threads that keep it, and go on to its consumers as if they were made here.
 *
 * A step
 * 1. Records of streams go to the part as they are fed, past this node (Graph tells it with activate()). Changes of tables reach it as rows of their
 *    stores, which it packs and feeds, parcel by parcel. Where the part has much left to take, the step waits here, and takes what has come.
 * 2. When its turn comes, it sends off the rest and finishes the part's step. A part that reads streams alone may have been a step ahead: then there
 *    is nothing left to send.
 * 3. It emits what the shards have said, as it comes; the circuit waits for more (`Node.waiting`) until the step is complete.
 */
import type { EvertError } from "../../base/errors.ts";
import { CopyMemory } from "../../batch/codec.ts";
import type { Schema } from "../../batch/schema.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import { fillChunk } from "../fill-chunk.ts";
import { LentChunk } from "../lent-chunk.ts";
import { Node, type Source } from "../node.ts";
import type { OperatorStats } from "../operator-stats.ts";
import { addRows } from "./chunk-batch.ts";
import type { PartLink, PartRows, PartSource } from "./link.ts";
import { Parcel, unpack } from "./parcel.ts";

interface TableInput {
  readonly source: PartSource;
  /** Of the columns read. */
  readonly schema: Schema;
  readonly parcel: Parcel;
}

/** Rows that are sent off before their step ends: a message to a thread that waits for it costs as much as some hundred rows. */
const SEND_ROWS = 4 * CHUNK_ROWS;

const allRows = Int32Array.from({ length: CHUNK_ROWS }, (_, i) => i);

export class Inlet extends Node {
  readonly label: string;
  readonly link: PartLink;
  /** Topics whose records it is fed. */
  readonly streams: ReadonlySet<number>;
  readonly #schema: Schema;
  readonly #dictionary: Dictionary;
  readonly #out: LentChunk;
  readonly #memory = new CopyMemory();
  /** By port. */
  readonly #tables: readonly TableInput[];
  #turn: "sending" | "taking" = "sending";
  /** Whether the step waits for room. */
  #holdsUp = false;
  /** Rows that are to be sent. */
  #unsent: PartRows[] = [];
  #unsentRows = 0;
  /** What is left of the parcel at hand. */
  #rows: Iterator<Chunk> | null = null;
  /** Steps that the part has finished ahead of the circuit. */
  #ahead = 0;
  /** Whether it has all of this step's rows. */
  #hasAll = false;
  /** Bytes elsewhere when this step began, and the one before: a part that is ahead may have grown by then. */
  #bytesNow = 0;
  #bytesBefore = 0;

  /** `tables`: the sources of the link behind `sources`, port by port. */
  constructor(
    identity: string,
    schema: Schema,
    link: PartLink,
    sources: readonly Source[],
    tables: readonly PartSource[],
    dictionary: Dictionary,
  ) {
    super(identity, sources);
    this.link = link;
    this.#schema = schema;
    this.#dictionary = dictionary;
    this.#out = new LentChunk(schema.fields);
    this.label = `rows kept by ${link.place}`;
    this.errors = new ErrorCollection(this.label, dictionary);
    const isTable = new Set(tables.map(({ id }) => id));
    this.streams = new Set(link.sources.flatMap(({ id }) => (isTable.has(id) ? [] : [id])));
    this.#tables = tables.map((source) => ({
      source,
      schema: { fields: source.reads.map((c) => source.schema.fields[c]!) },
      parcel: new Parcel(link.shared),
    }));
  }

  /** Why the part will answer no more. */
  get lost(): EvertError | null {
    return this.failed === null ? this.link.failed : null;
  }

  override get bytesElsewhere(): number {
    return this.link.bytes;
  }

  override get grewElsewhere(): boolean {
    return this.link.bytes > this.#bytesBefore;
  }

  override get operatorsElsewhere(): readonly (readonly OperatorStats[])[] {
    return this.link.operators;
  }

  override get waiting(): Promise<void> | null {
    if (this.#rows !== null || this.failed !== null) return null;
    if (this.#holdsUp) return this.link.hasRows ? null : this.link.room;
    return this.#turn === "taking" ? this.link.waiting : null;
  }

  override begin(): void {
    super.begin();
    this.#hasAll = this.#ahead > 0;
    this.#turn = this.#hasAll ? "taking" : "sending";
    if (this.#hasAll) this.#ahead--;
    this.#bytesBefore = this.#bytesNow;
    this.#bytesNow = this.link.bytes;
  }

  /** This step's rows, `count` of them, if it does not have them already. */
  feed(rows: PartRows, count: number): void {
    this.host.activate(this);
    if (this.#hasAll || this.failed !== null) return;
    if (this.touchedIn !== this.host.lookNumber) this.host.touch(this);
    this.#send(rows, count);
    this.#mayHoldUp();
  }

  /** Whether it can ever go ahead of the circuit. */
  get isAble(): boolean {
    return this.#tables.length === 0 && this.failed === null;
  }

  /** Whether it can do so now, one step. */
  get mayGoAhead(): boolean {
    const hasSent = this.activeIn !== this.host.stepNumber || this.#turn === "taking";
    return hasSent && this.isAble && this.#ahead === 0;
  }

  /** Rows of the step after this one. */
  feedAhead(rows: PartRows, count: number): void {
    this.#send(rows, count);
  }

  /** The part makes that step, all of whose rows it has. */
  goAhead(): void {
    this.#ahead++;
    this.#finish();
  }

  override push(port: number, chunk: Chunk): void {
    const { source, schema, parcel } = this.#tables[port] as TableInput;
    addRows(parcel, schema, chunk, allRows, chunk.length, this.#dictionary);
    if (!parcel.isFull) return;
    this.#feed([{ sourceId: source.id, columns: source.reads, parcels: parcel.takeFull() }]);
    this.#mayHoldUp();
  }

  override work(): boolean {
    if (this.#holdsUp) {
      if (this.#emitNext()) return true;
      this.#holdsUp = this.link.room !== null;
      return this.#holdsUp;
    }
    if (this.#turn === "sending") {
      this.#finish();
      this.#turn = "taking";
    }
    if (this.#emitNext()) return true;
    const errors = this.link.takeErrors();
    if (errors !== null) for (const { error, weight } of errors) this.errors?.add(error, weight);
    if (errors !== null || !this.link.isComplete) return true;
    this.link.next();
    return false;
  }

  /** The part is in the live circuit now. */
  override rebind(): void {
    this.link.live();
  }

  override stop(): void {
    this.#rows = null;
    this.#release(this.#takeUnsent());
    this.link.drop();
  }

  #send(rows: PartRows, count: number): void {
    for (const parcel of rows.parcels) this.link.shared.hold(parcel);
    this.#unsent.push(rows);
    this.#unsentRows += count;
    if (this.#unsentRows >= SEND_ROWS) this.#feed(this.#takeUnsent());
  }

  #feed(rows: readonly PartRows[]): void {
    this.link.feed(rows);
    this.#release(rows);
  }

  #finish(): void {
    const rows = [...this.#takeUnsent(), ...this.#tables.flatMap(rowsOf)];
    this.link.finish(rows);
    this.#release(rows);
  }

  #release(rows: readonly PartRows[]): void {
    for (const { parcels } of rows) for (const parcel of parcels) this.link.shared.release(parcel);
  }

  #takeUnsent(): PartRows[] {
    const rows = this.#unsent;
    this.#unsent = [];
    this.#unsentRows = 0;
    return rows;
  }

  #mayHoldUp(): void {
    if (this.link.room === null && !this.link.hasRows) return;
    this.#holdsUp = true;
    this.host.wait(this);
  }

  #emitNext(): boolean {
    for (;;) {
      const next = this.#rows?.next();
      if (next?.done === false) {
        this.emit(next.value);
        this.#out.giveBack();
        return true;
      }
      this.#rows = null;
      const parcel = this.link.take();
      if (parcel === null) return false;
      this.#rows = this.#chunks(parcel);
    }
  }

  *#chunks(parcel: Uint8Array): Generator<Chunk> {
    for (const batch of unpack(parcel, this.#schema, this.#memory)) {
      const chunk = this.#out.take();
      chunk.length = batch.length;
      fillChunk(chunk, batch, 0, batch.length, this.#dictionary, everyColumn);
      chunk.weights.set(batch.weights as Int32Array);
      chunk.commits.fill(0, 0, batch.length);
      yield chunk;
    }
  }
}

function rowsOf({ source, parcel }: TableInput): PartRows[] {
  const parcels = parcel.take();
  return parcels.length === 0 ? [] : [{ sourceId: source.id, columns: source.reads, parcels }];
}

const everyColumn = (): boolean => true;
