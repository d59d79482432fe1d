/** Constant rows. They enter with the first step that finds their store empty. */
import { physicalOf } from "../../batch/types.ts";
import type { Datum } from "../../plan/expression.ts";
import type { ValuesPlan } from "../../plan/plan.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { Store } from "../../state/store.ts";
import { runtimeOf } from "../kernels/runtime.ts";
import { StoredNode } from "./stored.ts";

export class Values extends StoredNode {
  readonly label = "constant rows";
  readonly store: Store;
  readonly weighted = false;
  readonly #plan: ValuesPlan;
  readonly #dictionary: Dictionary;

  constructor(identity: string, plan: ValuesPlan, dictionary: Dictionary) {
    super(identity, []);
    this.#plan = plan;
    this.#dictionary = dictionary;
    this.store = new Store(this.label, plan.schema.fields, dictionary);
  }

  override begin(): void {
    super.begin();
    if (this.store.live > 0) return;
    const { rows, schema } = this.#plan;
    const { store } = this;
    store.reserve(rows.length);
    for (const row of rows) {
      const values = row.map((datum) => physicalOfDatum(datum, this.#dictionary));
      const slot = store.alloc();
      store.write(
        slot,
        values.map((v, i) =>
          physicalOf(schema.fields[i]!.type) === "f64" ? Float64Array.of(v) : Int32Array.of(v),
        ),
        row.map((datum) => Uint8Array.of(datum === null ? 1 : 0)),
        0,
      );
      store.insert(slot);
    }
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
