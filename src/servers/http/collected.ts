/**
 * Records of a body, collected for a commit: as columns, or, where the topic's records are looked at by a schema of the program's own, as values.
 */
import { type EvertError, toEvertError } from "../../base/errors.ts";
import type { AppendOptions, AppendResult, DeadLetter, Engine, TopicInfo } from "../../engine/api.ts";
import { RecordColumns } from "../../wire/http/record-columns.ts";
import {
  atPlaceOfRow,
  type PlaceUnit,
  type RecordTarget,
  refusedRow,
} from "../../wire/http/record-decoder.ts";
import { addDeadLetter, isOfMore } from "./dead-letters.ts";

/** What takes records, and appends all it has in one commit. */
export interface Collected extends RecordTarget {
  readonly length: number;
  /** About what they take in memory. */
  readonly byteLength: number;
  /** All of it; then it is empty. */
  takeAll(): Portion;
  /** Nothing more is asked of it. */
  close(): void;
}

/** Records of one commit. */
export interface Portion {
  readonly length: number;
  /** @throws EvertError that names the line or index of what is refused. */
  append(options?: AppendOptions): Promise<AppendResult>;
  /** The records before the one that the last append refused; null: there are none, or it refused none in particular. */
  beforeRefused(): Portion | null;
}

/** `rowsMax`: how many it takes at most before it is asked for them. */
export function collectorFor(
  engine: Engine,
  topic: TopicInfo,
  unit: PlaceUnit,
  rowsMax = Number.POSITIVE_INFINITY,
): Collected {
  if (!topic.isChecked) return new Columns(engine, topic, rowsMax);
  return topic.deadLetters === null
    ? new Values(engine, topic.name, unit)
    : new Checked(engine, topic, rowsMax);
}

class Columns extends RecordColumns implements Collected {
  readonly #engine: Engine;
  readonly #topic: TopicInfo;
  #deadLetters: DeadLetter[] = [];
  #deadBytes = 0;

  constructor(engine: Engine, topic: TopicInfo, rowsMax: number) {
    super(topic.schema, () => engine.fallbacks(topic), rowsMax);
    this.#engine = engine;
    this.#topic = topic;
  }

  override get length(): number {
    return super.length + this.#deadLetters.length;
  }

  override get byteLength(): number {
    return super.byteLength + this.#deadBytes;
  }

  leave(error: EvertError, bytes: Uint8Array): boolean {
    if (this.#topic.deadLetters === null || isOfMore(error)) return false;
    addDeadLetter(this.#deadLetters, { error, bytes: bytes.slice(), schemaId: null });
    this.#deadBytes += bytes.length;
    return true;
  }

  takeAll(): Portion {
    const batch = this.finish();
    const deadLetters = this.#deadLetters;
    this.#deadLetters = [];
    this.#deadBytes = 0;
    return {
      length: batch.length + deadLetters.length,
      append: (options) => this.#engine.appendBatch(this.#topic.name, batch, { ...options, deadLetters }),
      beforeRefused: () => null, // values are looked at when they are taken
    };
  }
}

/** Each record is looked at when it is taken, while its bytes are there to be put aside. */
class Checked extends Columns {
  readonly #check: (record: unknown) => unknown;

  constructor(engine: Engine, topic: TopicInfo, rowsMax: number) {
    super(engine, topic, rowsMax);
    this.#check = (record) => engine.checkedRecord(topic.name, record);
  }

  override takeText(): number {
    return 0;
  }

  override take(value: unknown): void {
    super.take(this.#check(value));
  }
}

/** JSON of a value is at least as long as this takes, but for numbers. */
const BYTES_PER_VALUE = 256;

class Values implements Collected {
  readonly #engine: Engine;
  readonly #topic: string;
  readonly #unit: PlaceUnit;
  #rows: unknown[] = [];
  #numbers: number[] = [];

  constructor(engine: Engine, topic: string, unit: PlaceUnit) {
    this.#engine = engine;
    this.#topic = topic;
    this.#unit = unit;
  }

  get length(): number {
    return this.#rows.length;
  }

  get byteLength(): number {
    return this.#rows.length * BYTES_PER_VALUE;
  }

  close(): void {}

  takeText(): number {
    return 0;
  }

  take(value: unknown, number: number): void {
    this.#rows.push(value);
    this.#numbers.push(number);
  }

  takeAll(): Portion {
    const portion = this.#portion(this.#rows, this.#numbers);
    this.#rows = [];
    this.#numbers = [];
    return portion;
  }

  #portion(rows: readonly unknown[], numbers: readonly number[]): Portion {
    let refused = 0;
    return {
      length: rows.length,
      append: async (options) => {
        try {
          return await this.#engine.append(this.#topic, rows, options);
        } catch (thrown) {
          const error = toEvertError(thrown);
          refused = refusedRow(error) ?? 0;
          throw atPlaceOfRow(error, this.#unit, numbers);
        }
      },
      beforeRefused: () => (refused === 0 ? null : this.#portion(rows.slice(0, refused), numbers)),
    };
  }
}
