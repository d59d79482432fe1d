/** json_object_agg and jsonb_object_agg: a key and a value per row. Of equal keys jsonb keeps the last one, json all of them. */
import { json, jsonb, type SqlType } from "../../../batch/types.ts";
import type { Dictionary } from "../../../state/dictionary.ts";
import { type ScalarError, scalarError } from "../../kernels/errors.ts";
import type { Collector, GatheredRow } from "./collector.ts";
import { GatheredText } from "./gathered-text.ts";
import { SortedProperties } from "./sorted-properties.ts";
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
  /** Of json, in the order of the rows. */
  readonly #text: GatheredText = new GatheredText(", ");
  /** Of jsonb. */
  readonly #properties: SortedProperties = new SortedProperties();
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
    this.#forget();
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
    const written = value === null ? "null" : this.#write(value);
    this.#length += name.length + written.length + 5;
    if (this.#length > TEXT_MAX) this.error = tooLong;
    else if (this.#kind.binary)
      this.#properties.push({ name: JSON.parse(name) as string, text: `${name}: ${written}` });
    else this.#text.push(`${name} : ${written}`);
  }

  settle(): boolean {
    return this.#kind.binary && this.error === null && this.#properties.settle();
  }

  end(): number | null {
    const isEmpty = this.#kind.binary ? this.#length === 0 : this.#text.count === 0;
    let id: number | null = null;
    if (this.error === null && this.#rows > 0) {
      const text = this.#kind.binary ? this.#properties.take() : this.#text.take("{ ", " }");
      id = this.#dictionary.internString(isEmpty ? "{}" : text);
    }
    this.#forget();
    return id;
  }

  #forget(): void {
    this.#text.clear();
    this.#properties.clear();
    this.#keys.clear();
  }
}
