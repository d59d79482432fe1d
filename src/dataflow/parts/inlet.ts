/**
 * A part's place in the circuit: its rows come from the threads that keep it, and go on to its consumers as if they were made here.
 *
 * A step
 * 1. Records of streams go to the part as they are fed, past this node (Graph tells it with activate()). Changes of tables reach it as rows of their
 *    stores, which it packs.
 * 2. When its turn comes, it sends these off and finishes the part's step; the circuit waits (`Node.waiting`) until all shards have answered.
 *    A part that reads streams alone may have been a step ahead: then there is nothing left to send.
 * 3. It emits what the shards have said, phase by phase.
 */
import { EvertError } from "../../base/errors.ts";
import type { Schema } from "../../batch/schema.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import { fillChunk } from "../fill-chunk.ts";
import { LentChunk } from "../lent-chunk.ts";
import { Node, type Source } from "../node.ts";
import type { OperatorStats } from "../operator-stats.ts";
import { batchOf } from "./chunk-batch.ts";
import type { PartAnswer, PartLink, PartRows, PartSource } from "./link.ts";
import { Parcel, unpack } from "./parcel.ts";

interface TableInput {
  readonly source: PartSource;
  /** Of the columns read. */
  readonly schema: Schema;
  readonly parcel: Parcel;
}

const allRows = Int32Array.from({ length: CHUNK_ROWS }, (_, i) => i);

export class Inlet extends Node {
  readonly label: string;
  readonly link: PartLink;
  /** Topics whose records it is fed. */
  readonly streams: ReadonlySet<number>;
  readonly #schema: Schema;
  readonly #dictionary: Dictionary;
  readonly #out: LentChunk;
  /** By port. */
  readonly #tables: readonly TableInput[];
  #turn: "sending" | "waiting" | "emitting" = "sending";
  #rows: Iterator<Chunk> | null = null;
  /** Steps that the part has finished ahead of the circuit. */
  #ahead = 0;
  /** Whether it has all of this step's rows. */
  #hasRows = false;
  #bytes = 0;
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
      parcel: new Parcel("shared"),
    }));
  }

  override get bytesElsewhere(): number {
    return this.#bytes;
  }

  override get grewElsewhere(): boolean {
    return this.#bytes > this.#bytesBefore;
  }

  override get operatorsElsewhere(): readonly (readonly OperatorStats[])[] {
    return this.link.operators;
  }

  override get waiting(): Promise<void> | null {
    return this.#turn === "waiting" ? this.link.waiting : null;
  }

  override begin(): void {
    super.begin();
    this.#hasRows = this.#ahead > 0;
    this.#turn = this.#hasRows ? "waiting" : "sending";
    if (this.#hasRows) this.#ahead--;
    this.#rows = null;
  }

  /** This step's rows, if it does not have them already. */
  feed(rows: readonly PartRows[]): void {
    this.host.activate(this);
    if (!this.#hasRows && this.failed === null) this.link.feed(rows);
  }

  /** Whether it can go ahead of the circuit, one step. */
  get mayGoAhead(): boolean {
    return this.#tables.length === 0 && this.failed === null && this.#ahead === 0;
  }

  /** The part makes the next step, whose rows it has been fed past this node. */
  goAhead(): void {
    this.#ahead++;
    this.link.finish([]);
  }

  override push(port: number, chunk: Chunk): void {
    const { schema, parcel } = this.#tables[port] as TableInput;
    parcel.add(batchOf(schema, chunk, allRows, chunk.length, this.#dictionary));
  }

  override work(): boolean {
    if (this.#turn === "sending") {
      this.link.finish(this.#tables.flatMap(rowsOf));
      this.#turn = "waiting";
    }
    if (this.#turn === "waiting") {
      if (this.link.waiting !== null) return true;
      this.#turn = "emitting";
      this.#rows = this.#read(this.link.answers());
    }
    const next = (this.#rows as Iterator<Chunk>).next();
    if (next.done === true) {
      this.#rows = null;
      return false;
    }
    this.emit(next.value);
    this.#out.giveBack();
    return true;
  }

  override stop(): void {
    this.link.drop();
    this.#bytes = 0;
  }

  override dispose(): void {
    this.link.drop();
    super.dispose();
  }

  *#read(answers: readonly PartAnswer[]): Generator<Chunk> {
    this.#bytesBefore = this.#bytes;
    this.#bytes = answers.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { failed } of answers) if (failed !== null) throw EvertError.from(failed);
    for (const { errors } of answers)
      for (const { error, weight } of errors) if (weight < 0) this.errors?.add(error, weight);
    for (const { errors } of answers)
      for (const { error, weight } of errors) if (weight > 0) this.errors?.add(error, weight);
    for (const phase of [0, 1] as const) for (const { phases } of answers) yield* this.#chunks(phases[phase]);
  }

  *#chunks(parcels: readonly Uint8Array[]): Generator<Chunk> {
    for (const parcel of parcels) {
      for (const batch of unpack(parcel, this.#schema)) {
        const chunk = this.#out.take();
        chunk.length = batch.length;
        fillChunk(chunk, batch, 0, batch.length, this.#dictionary, everyColumn);
        chunk.weights.set(batch.weights as Int32Array);
        chunk.commits.fill(0, 0, batch.length);
        yield chunk;
      }
    }
  }
}

function rowsOf({ source, parcel }: TableInput): PartRows[] {
  const parcels = parcel.take();
  return parcels.length === 0 ? [] : [{ sourceId: source.id, columns: source.reads, parcels }];
}

const everyColumn = (): boolean => true;
