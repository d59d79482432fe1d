/**
 * A part of a plan in the thread that keeps it: a circuit of its own, fed with rows of what the part reads, that tells what its rows have changed by.
 *
 *   part.feed(rows) ...; const answer = part.finish();     // one step
 *   part.sweep();                                          // when nobody waits
 *
 * - All sources are streams here, those that stand for tables with retractions among their rows: operators keep what they need of them.
 * - A part with a shard takes of all rows those that are the shard's.
 * - What it tells is in the order in which it was made: any part of it from the beginning on is right by itself. Where a key may have moved from
 *   another shard to this one, what has left is told apart from what has come, and rows are kept for that: they say what a step has done in all.
 */
import { toEvertError } from "../../base/errors.ts";
import type { Column } from "../../batch/batch.ts";
import type { Schema } from "../../batch/schema.ts";
import type { Plan } from "../../plan/plan.ts";
import { Dictionary } from "../../state/dictionary.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import { Circuit, type CircuitLimits } from "../circuit.ts";
import type { OperatorStats } from "../operator-stats.ts";
import { batchOf } from "./chunk-batch.ts";
import type { PartAnswer, PartError, PartRows, PartSource } from "./link.ts";
import type { Outlet } from "./outlet.ts";
import { Parcel, unpack } from "./parcel.ts";
import type { Shard } from "./shard.ts";
import { ShardFeeder } from "./shard-feeder.ts";

export interface PartSpec {
  /** Of streams alone. */
  readonly plan: Plan;
  readonly sources: readonly PartSource[];
  readonly keysMove: boolean;
  readonly shard: Shard;
  readonly limits: CircuitLimits;
}

interface Input {
  readonly source: PartSource;
  readonly feeder: ShardFeeder;
}

const leavingRows = new Int32Array(CHUNK_ROWS);
const otherRows = new Int32Array(CHUNK_ROWS);

export class PartCircuit {
  readonly #circuit: Circuit;
  readonly #outlet: Outlet;
  readonly #schema: Schema;
  readonly #inputs: ReadonlyMap<number, Input>;
  readonly #keysMove: boolean;
  readonly #first = new Parcel("given");
  readonly #second = new Parcel("given");
  readonly #dictionary = new Dictionary();
  #epoch = 0;
  #isOpen = false;

  constructor({ plan, sources, keysMove, shard, limits }: PartSpec) {
    this.#keysMove = keysMove;
    this.#circuit = new Circuit({ dictionary: this.#dictionary, ...limits });
    this.#schema = plan.schema;
    for (const { id, name, schema } of sources) this.#circuit.addStream(id, name, schema);
    this.#outlet = this.#circuit.addOutlet(plan, keysMove, (chunk) => this.#send(chunk));
    const late = (id: number) => (column: number) => this.#circuit.interest(id, column) === "late";
    this.#inputs = new Map(
      sources.map((source) => {
        const feeder = new ShardFeeder(source, shard, late(source.id), this.#dictionary);
        return [source.id, { source, feeder }];
      }),
    );
  }

  feed(all: readonly PartRows[]): void {
    this.#open();
    for (const { sourceId, columns, parcels } of all) {
      const input = this.#inputs.get(sourceId);
      if (input === undefined) continue;
      const { source, feeder } = input;
      const schema = { fields: columns.map((c) => source.schema.fields[c]!) };
      for (const parcel of parcels) {
        for (const { length, columns: packed, weights } of unpack(parcel, schema)) {
          const placed: Column[] = [];
          columns.forEach((c, i) => {
            placed[c] = packed[i]!;
          });
          const batch = { schema: source.schema, length, columns: placed, weights };
          for (let from = 0; from < length; from += CHUNK_ROWS) {
            const chunk = feeder.fill(batch, from, Math.min(length, from + CHUNK_ROWS));
            if (chunk.length > 0) this.#circuit.feedStream(sourceId, chunk);
            this.#run();
          }
        }
      }
    }
  }

  finish(): PartAnswer {
    this.#open();
    this.#circuit.end();
    this.#run();
    this.#isOpen = false;
    const { failed } = this.#outlet;
    return {
      phases: [this.#first.take(), this.#second.take()],
      errors: failed === null ? this.#errors() : [],
      bytes: failed === null ? this.#circuit.bytes : 0,
      failed: failed === null ? null : toEvertError(failed).toJSON(),
    };
  }

  /** Frees what the last step has ended: nobody looks back. */
  sweep(): void {
    if (!this.#isOpen) this.#circuit.vacuum(this.#epoch);
  }

  operators(): OperatorStats[] {
    return this.#outlet.operators();
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#circuit.begin(++this.#epoch);
  }

  #run(): void {
    while (!this.#circuit.run(Number.POSITIVE_INFINITY));
  }

  #send(chunk: Chunk): void {
    const { weights, length } = chunk;
    let [leaving, others] = [0, 0];
    for (let i = 0; i < length; i++) {
      if (this.#keysMove && (weights[i] as number) < 0) leavingRows[leaving++] = i;
      else otherRows[others++] = i;
    }
    const later = this.#keysMove ? this.#second : this.#first;
    if (leaving > 0) this.#first.add(batchOf(this.#schema, chunk, leavingRows, leaving, this.#dictionary));
    if (others > 0) later.add(batchOf(this.#schema, chunk, otherRows, others, this.#dictionary));
  }

  #errors(): PartError[] {
    return [...this.#outlet.upstreamErrors()].flatMap((errors) => [...errors.changes()]);
  }
}
