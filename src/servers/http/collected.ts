/**
 * Records of a body, collected for a commit: as columns, or, where the topic's records are looked at by a schema of the program's own, as values.
 */
import { type EvertError, toEvertError } from "../../base/errors.ts";
import type { AppendOptions, AppendResult, DeadLetter, Engine, TopicInfo } from "../../engine/api.ts";
import { type PlacedRows, RecordColumns } from "../../wire/http/record-columns.ts";
import {
  atPlaceOfRow,
  type PlaceUnit,
  type RecordTarget,
  refusedRow,
} from "../../wire/http/record-decoder.ts";
import { isOfMore, refuseMore } from "./dead-letters.ts";

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
  if (!topic.isChecked) return new Columns(engine, topic, unit, rowsMax);
  return topic.deadLetters === null
    ? new Values(engine, topic.name, unit)
    : new Checked(engine, topic, unit, rowsMax);
}

interface PutAside {
  readonly letter: DeadLetter;
  /** So many rows stand before it. */
  readonly row: number;
}

class Columns extends RecordColumns implements Collected {
  readonly #engine: Engine;
  readonly #topic: TopicInfo;
  readonly #unit: PlaceUnit;
  #deadLetters: PutAside[] = [];
  #deadBytes = 0;

  constructor(engine: Engine, topic: TopicInfo, unit: PlaceUnit, rowsMax: number) {
    super(topic.schema, () => engine.fallbacks(topic), rowsMax);
    this.#engine = engine;
    this.#topic = topic;
    this.#unit = unit;
  }

  override get length(): number {
    return super.length + this.#deadLetters.length;
  }

  override get byteLength(): number {
    return super.byteLength + this.#deadBytes;
  }

  leave(error: EvertError, bytes: Uint8Array): boolean {
    if (this.#topic.deadLetters === null || isOfMore(error)) return false;
    const letter = { error, bytes: bytes.slice(), schemaId: null };
    refuseMore(this.#deadLetters.length, this.#deadLetters[0]?.letter);
    this.#deadLetters.push({ letter, row: super.length });
    this.#deadBytes += bytes.length;
    return true;
  }

  takeAll(): Portion {
    const portion = this.#portion(this.finish(), this.#deadLetters);
    this.#deadLetters = [];
    this.#deadBytes = 0;
    return portion;
  }

  #portion(rows: PlacedRows, aside: readonly PutAside[]): Portion {
    const { batch } = rows;
    const deadLetters = aside.map(({ letter }) => letter);
    let refused: number | undefined;
    return {
      length: batch.length + aside.length,
      append: async (options) => {
        try {
          return await this.#engine.appendBatch(this.#topic.name, batch, { ...options, deadLetters });
        } catch (thrown) {
          const error = toEvertError(thrown);
          refused = refusedRow(error);
          throw atPlaceOfRow(error, this.#unit, (row) => rows.numberOf(row));
        }
      },
      beforeRefused: () => {
        if (refused === undefined) return null;
        const count = refused;
        const before = aside.filter(({ row }) => row <= count);
        return count + before.length === 0 ? null : this.#portion(rows.first(count), before);
      },
    };
  }
}

/** Each record is looked at when it is taken, while its bytes are there to be put aside. */
class Checked extends Columns {
  readonly #check: (record: unknown) => unknown;

  constructor(engine: Engine, topic: TopicInfo, unit: PlaceUnit, rowsMax: number) {
    super(engine, topic, unit, rowsMax);
    this.#check = (record) => engine.checkedRecord(topic.name, record);
  }

  override takeText(): number {
    return 0;
  }

  override take(value: unknown, number: number): void {
    super.take(this.#check(value), number);
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
          throw atPlaceOfRow(error, this.#unit, (row) => numbers[row]);
        }
      },
      beforeRefused: () => (refused === 0 ? null : this.#portion(rows.slice(0, refused), numbers)),
    };
  }
}
