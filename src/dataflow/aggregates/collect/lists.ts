/** Aggregates that put their rows side by side: string_agg, array_agg, json_agg, jsonb_agg; any_value, which takes the first. */
import { EvertError } from "../../../base/errors.ts";
import { type ArrayParts, formatArray, listOf, parseArray } from "../../../batch/format/array.ts";
import { json, jsonb, type SqlType } from "../../../batch/types.ts";
import type { Dictionary } from "../../../state/dictionary.ts";
import { type ScalarError, scalarError } from "../../kernels/errors.ts";
import type { Collector, GatheredRow } from "./collector.ts";
import { jsonWriter, TEXT_MAX, textWriter, tooLong } from "./values.ts";

/** Pieces of text, up to a bound. */
abstract class Pieces implements Collector {
  abstract readonly type: SqlType;
  abstract readonly strict: boolean;
  error: ScalarError | null = null;
  protected readonly pieces: string[] = [];
  protected readonly dictionary: Dictionary;
  #length = 0;

  constructor(dictionary: Dictionary) {
    this.dictionary = dictionary;
  }

  begin(): void {
    this.error = null;
    this.pieces.length = 0;
    this.#length = 0;
  }

  abstract take(row: GatheredRow, times: number): boolean;

  protected push(piece: string): boolean {
    this.#length += piece.length;
    if (this.#length <= TEXT_MAX) this.pieces.push(piece);
    else this.error = tooLong;
    return this.error === null;
  }

  end(): number | null {
    if (this.error !== null || this.pieces.length === 0) return null;
    const id = this.dictionary.internString(this.joined());
    this.pieces.length = 0;
    return id;
  }

  protected abstract joined(): string;
}

/** Each row's delimiter stands before its value, but before the first. */
export class StringAgg extends Pieces {
  readonly type: SqlType;
  readonly strict = true;
  /** bytea: its hex form, which begins with \x. */
  readonly #skip: number;

  constructor(type: SqlType, dictionary: Dictionary) {
    super(dictionary);
    this.type = type;
    this.#skip = type.name === "bytea" ? 2 : 0;
  }

  override take(row: GatheredRow, times: number): boolean {
    const value = this.dictionary.string(row.value(0) as number).slice(this.#skip);
    const delimiter = row.value(1);
    const before = delimiter === null ? "" : this.dictionary.string(delimiter).slice(this.#skip);
    for (let i = 0; i < times; i++)
      if (!this.push(this.pieces.length === 0 ? value : before + value)) return false;
    return true;
  }

  protected override joined(): string {
    return (this.#skip > 0 ? "\\x" : "") + this.pieces.join("");
  }
}

export class JsonAgg extends Pieces {
  readonly type: SqlType;
  readonly strict: boolean;
  readonly #write: (code: number) => string;
  readonly #lines: boolean;

  constructor(binary: boolean, strict: boolean, arg: SqlType, dictionary: Dictionary) {
    super(dictionary);
    this.type = binary ? jsonb : json;
    this.strict = strict;
    this.#write = jsonWriter(arg, dictionary, binary);
    this.#lines = (arg.name === "array" || arg.name === "record") && !binary;
  }

  override take(row: GatheredRow, times: number): boolean {
    const value = row.value(0);
    for (let i = 0; i < times; i++) {
      // PostgreSQL begins a line for an array or a row of a json list that is not its first item.
      const before = this.#lines && this.pieces.length > 0 ? "\n " : "";
      if (!this.push(value === null ? "null" : before + this.#write(value))) return false;
    }
    return true;
  }

  protected override joined(): string {
    return `[${this.pieces.join(", ")}]`;
  }
}

/** Rows as items; rows that are arrays as the items of one of a dimension more. */
export class ArrayAgg implements Collector {
  readonly type: SqlType;
  readonly strict = false;
  error: ScalarError | null = null;
  readonly #items: (string | null)[] = [];
  readonly #write: (code: number) => string;
  readonly #nested: boolean;
  readonly #dictionary: Dictionary;
  #first: ArrayParts | null = null;
  #rows = 0;
  #length = 0;

  constructor(type: SqlType, arg: SqlType, dictionary: Dictionary) {
    this.type = type;
    this.#nested = arg.name === "array";
    this.#write = textWriter(arg, dictionary);
    this.#dictionary = dictionary;
  }

  begin(): void {
    this.error = null;
    this.#items.length = 0;
    this.#first = null;
    this.#rows = 0;
    this.#length = 0;
  }

  take(row: GatheredRow, times: number): boolean {
    const value = row.value(0);
    const written = value === null ? null : this.#write(value);
    for (let i = 0; i < times; i++) {
      this.#rows++;
      this.#length += written === null ? 5 : written.length + 1;
      if (this.#length > TEXT_MAX) this.error = tooLong;
      else if (this.#nested) this.#takeArray(written);
      else this.#items.push(written);
      if (this.error !== null) return false;
    }
    return true;
  }

  #takeArray(written: string | null): void {
    if (written === null) {
      this.error = scalarError("invalid_value", "cannot accumulate null arrays", { sqlstate: "22004" });
      return;
    }
    const parts = parseArray(written);
    const first = (this.#first ??= parts);
    if (parts.items.length === 0) {
      this.error = scalarError("invalid_value", "cannot accumulate empty arrays", { sqlstate: "2202E" });
    } else if (!alike(parts.dims, first.dims) || !alike(parts.lower, first.lower)) {
      const message = "cannot accumulate arrays of different dimensionality";
      this.error = scalarError("invalid_value", message, { sqlstate: "2202E" });
    } else for (const item of parts.items) this.#items.push(item);
  }

  end(): number | null {
    if (this.error !== null || this.#rows === 0) return null;
    const first = this.#first;
    const parts =
      first === null
        ? listOf(this.#items)
        : { dims: [this.#rows, ...first.dims], lower: [1, ...first.lower], items: this.#items };
    try {
      return this.#dictionary.internString(formatArray(parts));
    } catch (thrown) {
      if (!(thrown instanceof EvertError)) throw thrown;
      this.error = scalarError(thrown.code, thrown.message);
      return null;
    } finally {
      this.#items.length = 0;
    }
  }
}

function alike(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

export class AnyValue implements Collector {
  readonly type: SqlType;
  readonly strict = true;
  readonly error = null;
  #value: number | null = null;

  constructor(type: SqlType) {
    this.type = type;
  }

  begin(): void {
    this.#value = null;
  }

  take(row: GatheredRow): boolean {
    this.#value = row.value(0);
    return false;
  }

  end(): number | null {
    return this.#value;
  }
}
