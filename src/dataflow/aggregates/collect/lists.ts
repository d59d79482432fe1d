/** Aggregates that put their rows side by side: string_agg, array_agg, json_agg, jsonb_agg; any_value, which takes the first. */
import {
  ARRAY_DIMENSIONS_MAX,
  type ArrayParts,
  arrayBounds,
  arrayItem,
  parseArray,
} from "../../../batch/format/array.ts";
import { json, jsonb, type SqlType } from "../../../batch/types.ts";
import type { Dictionary } from "../../../state/dictionary.ts";
import { type ScalarError, scalarError } from "../../kernels/errors.ts";
import type { Collector, GatheredRow } from "./collector.ts";
import { GatheredText } from "./gathered-text.ts";
import { jsonWriter, TEXT_MAX, textWriter, tooLong } from "./values.ts";

/** Pieces of text, up to a bound. */
abstract class Pieces implements Collector {
  abstract readonly type: SqlType;
  abstract readonly strict: boolean;
  error: ScalarError | null = null;
  protected readonly text: GatheredText;
  protected readonly dictionary: Dictionary;

  constructor(separator: string, dictionary: Dictionary) {
    this.text = new GatheredText(separator);
    this.dictionary = dictionary;
  }

  begin(): void {
    this.error = null;
    this.text.clear();
  }

  abstract take(row: GatheredRow, times: number): boolean;

  protected push(piece: string): boolean {
    this.text.push(piece);
    if (this.text.length > TEXT_MAX) this.error = tooLong;
    return this.error === null;
  }

  /** Nothing has been taken. */
  protected get isNull(): boolean {
    return this.text.count === 0;
  }

  end(): number | null {
    if (this.error !== null || this.isNull) {
      this.text.clear();
      return null;
    }
    return this.dictionary.internString(this.joined());
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
    super("", dictionary);
    this.type = type;
    this.#skip = type.name === "bytea" ? 2 : 0;
  }

  override take(row: GatheredRow, times: number): boolean {
    const value = this.dictionary.string(row.value(0) as number).slice(this.#skip);
    const delimiter = row.value(1);
    const before = delimiter === null ? "" : this.dictionary.string(delimiter).slice(this.#skip);
    for (let i = 0; i < times; i++)
      if (!this.push(this.text.count === 0 ? value : before + value)) return false;
    return true;
  }

  protected override joined(): string {
    return this.text.take(this.#skip > 0 ? "\\x" : "");
  }
}

export class JsonAgg extends Pieces {
  readonly type: SqlType;
  /** Not even where nulls are left out: of nulls alone the list is empty, and null is that of no rows. */
  readonly strict = false;
  readonly #withoutNulls: boolean;
  #met = false;
  readonly #write: (code: number) => string;
  readonly #lines: boolean;

  constructor(binary: boolean, withoutNulls: boolean, arg: SqlType, dictionary: Dictionary) {
    super(", ", dictionary);
    this.type = binary ? jsonb : json;
    this.#withoutNulls = withoutNulls;
    this.#write = jsonWriter(arg, dictionary, binary);
    this.#lines = (arg.name === "array" || arg.name === "record") && !binary;
  }

  override begin(): void {
    super.begin();
    this.#met = false;
  }

  override take(row: GatheredRow, times: number): boolean {
    const value = row.value(0);
    this.#met = true;
    if (value === null && this.#withoutNulls) return true;
    for (let i = 0; i < times; i++) {
      // PostgreSQL begins a line for an array or a row of a json list that is not its first item.
      const before = this.#lines && this.text.count > 0 ? "\n " : "";
      if (!this.push(value === null ? "null" : before + this.#write(value))) return false;
    }
    return true;
  }

  protected override get isNull(): boolean {
    return !this.#met;
  }

  protected override joined(): string {
    return this.text.take("[", "]");
  }
}

const tooManyDimensions = scalarError(
  "statement_too_complex",
  `number of array dimensions (${ARRAY_DIMENSIONS_MAX + 1}) exceeds the maximum allowed (${ARRAY_DIMENSIONS_MAX})`,
  { sqlstate: "54000" },
);

/** Rows as items; rows that are arrays as the items of one of a dimension more. */
export class ArrayAgg implements Collector {
  readonly type: SqlType;
  readonly strict = false;
  error: ScalarError | null = null;
  readonly #text: GatheredText = new GatheredText(",");
  readonly #write: (code: number) => string;
  readonly #nested: boolean;
  readonly #dictionary: Dictionary;
  #first: ArrayParts | null = null;

  constructor(type: SqlType, arg: SqlType, dictionary: Dictionary) {
    this.type = type;
    this.#nested = arg.name === "array";
    this.#write = textWriter(arg, dictionary);
    this.#dictionary = dictionary;
  }

  begin(): void {
    this.error = null;
    this.#text.clear();
    this.#first = null;
  }

  take(row: GatheredRow, times: number): boolean {
    const value = row.value(0);
    const written = value === null ? null : this.#write(value);
    const item = this.#nested ? this.#arrayItem(written) : arrayItem(written);
    if (item === null) return false;
    for (let i = 0; i < times; i++) {
      this.#text.push(item);
      if (this.#text.length + this.#text.count <= TEXT_MAX) continue;
      this.error = tooLong;
      return false;
    }
    return true;
  }

  /** An array as an item: without its bounds, which all have in common. Null: it cannot be one. */
  #arrayItem(written: string | null): string | null {
    if (written === null) {
      this.error = scalarError("invalid_value", "cannot accumulate null arrays", { sqlstate: "22004" });
      return null;
    }
    const parts = parseArray(written);
    const first = (this.#first ??= parts);
    if (parts.items.length === 0) {
      this.error = scalarError("invalid_value", "cannot accumulate empty arrays", { sqlstate: "2202E" });
    } else if (!alike(parts.dims, first.dims) || !alike(parts.lower, first.lower)) {
      const message = "cannot accumulate arrays of different dimensionality";
      this.error = scalarError("invalid_value", message, { sqlstate: "2202E" });
    } else if (parts.dims.length === ARRAY_DIMENSIONS_MAX) this.error = tooManyDimensions;
    return this.error === null ? written.slice(written.indexOf("{")) : null;
  }

  end(): number | null {
    const { count } = this.#text;
    if (this.error !== null || count === 0) {
      this.#text.clear();
      return null;
    }
    const first = this.#first ?? { dims: [], lower: [] };
    const bounds = arrayBounds([count, ...first.dims], [1, ...first.lower]);
    return this.#dictionary.internString(this.#text.take(`${bounds}{`, "}"));
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
