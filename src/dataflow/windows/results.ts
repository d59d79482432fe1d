/**
 * What a function gives for the wanted rows of a segment, by their place behind the first wanted one.
 *
 * References that a function makes anew are held here until forget(): a view being built lives through steps of the live circuit, after which the
 * dictionary frees what nobody holds.
 */
import { carrierOf, type SqlType } from "../../batch/types.ts";
import { type Dictionary, WIDE } from "../../state/dictionary.ts";
import { mayBeWide } from "../../state/layout.ts";
import type { ScalarError } from "../kernels/errors.ts";

const KEPT_MAX = 65_536;

/** Counts references of values of a type, where it has any. */
export class Held {
  readonly #dictionary: Dictionary;
  readonly #isReference: boolean;
  readonly #mayBeWide: boolean;

  constructor(type: SqlType, dictionary: Dictionary) {
    this.#dictionary = dictionary;
    this.#isReference = carrierOf(type) === "string";
    this.#mayBeWide = mayBeWide(type);
  }

  retain(value: number): void {
    if (this.#isReference) this.#dictionary.retain(value);
    else if (this.#mayBeWide && value >= WIDE) this.#dictionary.retainWide(value);
  }

  release(value: number): void {
    if (this.#isReference) this.#dictionary.release(value);
    else if (this.#mayBeWide && value >= WIDE) this.#dictionary.releaseWide(value);
  }
}

export class Results {
  values: Float64Array = new Float64Array(64);
  nulls: Uint8Array = new Uint8Array(64);
  readonly errors: Map<number, ScalarError> = new Map();
  readonly #held: Held;
  #length = 0;

  constructor(type: SqlType, dictionary: Dictionary) {
    this.#held = new Held(type, dictionary);
  }

  /** Forgets what was there, and makes room for so many rows: all null. */
  begin(rows: number): void {
    this.forget();
    if (rows > this.values.length || (this.values.length > KEPT_MAX && rows < KEPT_MAX / 4)) {
      this.values = new Float64Array(Math.max(64, rows));
      this.nulls = new Uint8Array(Math.max(64, rows));
    }
    this.nulls.fill(1, 0, rows);
    this.values.fill(0, 0, rows);
    this.#length = rows;
  }

  forget(): void {
    for (let i = 0; i < this.#length; i++) {
      if (this.nulls[i] === 0) this.#held.release(this.values[i] as number);
    }
    this.#length = 0;
    this.errors.clear();
  }

  set(row: number, value: number): void {
    this.values[row] = value;
    this.nulls[row] = 0;
    this.#held.retain(value);
  }

  fail(row: number, error: ScalarError): void {
    this.errors.set(row, error);
  }
}
