/** Constant rows. They enter with the first step that finds their store empty. */
import { physicalOf } from "../../batch/types.ts";
import type { Datum } from "../../plan/expression.ts";
import type { ValuesPlan } from "../../plan/plan.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { Store } from "../../state/store.ts";
import { runtimeOf } from "../kernels/runtime.ts";
import { StoredNode } from "./stored.ts";

const ROWS_PER_CALL = 1024;

export class Values extends StoredNode {
  readonly label = "constant rows";
  readonly store: Store;
  readonly weighted = false;
  readonly #plan: ValuesPlan;
  readonly #dictionary: Dictionary;
  #next = 0;

  constructor(identity: string, plan: ValuesPlan, dictionary: Dictionary) {
    super(identity, []);
    this.#plan = plan;
    this.#dictionary = dictionary;
    this.store = new Store(this.label, plan.schema.fields, dictionary);
  }

  override begin(): void {
    super.begin();
    this.#next = this.store.live > 0 ? this.#plan.rows.length : 0;
  }

  /** Some of the rows; who reads them comes when all are there. */
  override work(): boolean {
    const { rows, schema } = this.#plan;
    if (this.#next >= rows.length) return false;
    const some = rows.slice(this.#next, this.#next + ROWS_PER_CALL);
    this.#next += some.length;
    const { store } = this;
    store.reserve(some.length);
    const columns = schema.fields.map(({ type }, c) => {
      const values = physicalOf(type) === "f64" ? new Float64Array(some.length) : new Int32Array(some.length);
      some.forEach((row, r) => {
        values[r] = physicalOfDatum(row[c] as Datum, this.#dictionary);
      });
      return values;
    });
    const nulls = schema.fields.map((_, c) => Uint8Array.from(some, (row) => (row[c] === null ? 1 : 0)));
    for (let row = 0; row < some.length; row++) {
      const slot = store.alloc();
      store.write(slot, columns, nulls, row);
      store.insert(slot);
    }
    return this.#next < rows.length;
  }

  override push(): void {}
}

/** A datum as the engine keeps it; 0 for a null. */
export function physicalOfDatum(datum: Datum, dictionary: Dictionary): number {
  if (datum === null) return 0;
  switch (typeof datum) {
    case "number":
      return datum;
    case "boolean":
      return datum ? 1 : 0;
    case "bigint":
      return runtimeOf(dictionary).code(datum);
    case "string":
      return dictionary.internString(datum);
  }
}
