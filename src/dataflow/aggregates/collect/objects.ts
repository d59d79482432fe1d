/** json_object_agg and jsonb_object_agg: a key and a value per row. Of equal keys jsonb keeps the last one, json all of them. */
import { EvertError } from "../../../base/errors.ts";
import { parseJsonb } from "../../../batch/jsonb.ts";
import { json, jsonb, type SqlType } from "../../../batch/types.ts";
import type { Dictionary } from "../../../state/dictionary.ts";
import { type ScalarError, scalarError } from "../../kernels/errors.ts";
import type { Collector, GatheredRow } from "./collector.ts";
import { jsonWriter, TEXT_MAX, tooLong } from "./values.ts";

export interface ObjectKind {
  readonly binary: boolean;
  /** Leaves out values that are null. */
  readonly withoutNulls: boolean;
  /** Refuses equal keys. */
  readonly unique: boolean;
}

const noKey = scalarError("invalid_value", "null value not allowed for object key", { sqlstate: "22004" });
const noName = scalarError("invalid_argument", "field name must not be null");
const notScalar = scalarError("invalid_argument", "key value must be scalar, not array, composite, or json");

export class ObjectAgg implements Collector {
  readonly type: SqlType;
  readonly strict = false;
  error: ScalarError | null = null;
  readonly #kind: ObjectKind;
  readonly #pieces: string[] = [];
  readonly #keys = new Set<string>();
  readonly #writeKey: (code: number) => string;
  readonly #write: (code: number) => string;
  readonly #keyIsScalar: boolean;
  readonly #dictionary: Dictionary;
  #rows = 0;
  #length = 0;

  constructor(kind: ObjectKind, key: SqlType, value: SqlType, dictionary: Dictionary) {
    this.#kind = kind;
    this.type = kind.binary ? jsonb : json;
    this.#writeKey = jsonWriter(key, dictionary, false);
    this.#write = jsonWriter(value, dictionary, kind.binary);
    this.#keyIsScalar =
      key.name !== "array" && key.name !== "record" && key.name !== "json" && key.name !== "jsonb";
    this.#dictionary = dictionary;
  }

  begin(): void {
    this.error = null;
    this.#pieces.length = 0;
    this.#keys.clear();
    this.#rows = 0;
    this.#length = 0;
  }

  take(row: GatheredRow, times: number): boolean {
    this.#rows += times;
    const key = row.value(0);
    const value = row.value(1);
    if (key === null) {
      this.error = this.#kind.binary ? noName : noKey;
    } else if (!this.#keyIsScalar) this.error = notScalar;
    else if (value !== null || !this.#kind.withoutNulls) {
      const written = this.#writeKey(key);
      const name = written.startsWith('"') ? written : `"${written}"`;
      for (let i = 0; i < times && this.error === null; i++) this.#add(name, value);
    }
    return this.error === null;
  }

  #add(name: string, value: number | null): void {
    if (this.#kind.unique) {
      if (this.#keys.has(name)) {
        const message = `duplicate JSON object key value${this.#kind.binary ? "" : `: ${name}`}`;
        this.error = scalarError("invalid_value", message, { sqlstate: "22030" });
        return;
      }
      this.#keys.add(name);
    }
    const piece = `${name} : ${value === null ? "null" : this.#write(value)}`;
    this.#length += piece.length + 2;
    if (this.#length > TEXT_MAX) this.error = tooLong;
    else this.#pieces.push(piece);
  }

  end(): number | null {
    if (this.error !== null || this.#rows === 0) return null;
    const written = this.#pieces.length === 0 ? "{}" : `{ ${this.#pieces.join(", ")} }`;
    this.#pieces.length = 0;
    this.#keys.clear();
    try {
      return this.#dictionary.internString(this.#kind.binary ? parseJsonb(written) : written);
    } catch (thrown) {
      if (!(thrown instanceof EvertError)) throw thrown;
      this.error = scalarError(thrown.code, thrown.message);
      return null;
    }
  }
}
