/**
 * A query for one row by its key, as programs ask thousands of times: `SELECT … FROM accounts WHERE id = 7`. Nothing of it is built.
 *
 * Where all that a query says of a relation is which values its key has, the lookup alone decides (Lookup.exact), and columns are only picked: the
 * row that readers see is what the circuit's own operators would give. To make these, their chunks, stores and code costs a hundred times what
 * finding the row does, in the turns of everybody else.
 */
import type { Circuit } from "../../dataflow/circuit.ts";
import { physicalOfDatum } from "../../dataflow/operators/values.ts";
import type { Datum } from "../../plan/expression.ts";
import type { Plan, Query, SourcePlan } from "../../plan/plan.ts";
import { masksOf } from "../../state/null-masks.ts";
import { LAST_EPOCH } from "../../state/rows.ts";
import { RowEncoder } from "../../views/row-encoder.ts";
import type { Published } from "../../views/subscription-item.ts";

export interface KeyRead {
  readonly source: SourcePlan;
  readonly index: readonly number[];
  readonly key: readonly Datum[];
  /** Of the source's, by column of the answer. */
  readonly columns: readonly number[];
}

/** Null: it takes more than that. REQUIRES a query with its lookups. */
export function keyReadOf({ plan, visible }: Query): KeyRead | null {
  let columns = plan.schema.fields.map((_, c) => c).slice(0, visible);
  // The lookup knows nothing of what is filtered above a LIMIT.
  let isFiltered = false;
  for (let at: Plan = plan; ; at = at.input) {
    switch (at.kind) {
      case "project": {
        const picked: number[] = [];
        for (const c of columns) {
          const expr = at.exprs[c]!;
          if (expr.kind !== "column") return null;
          picked.push(expr.index);
        }
        // A column that nobody shows may fail all the same.
        if (at.exprs.some((expr) => expr.kind !== "column")) return null;
        columns = picked;
        break;
      }
      case "filter":
        isFiltered = true;
        break;
      case "topK":
        // Of one row at most, the first.
        if (isFiltered || at.partition.length > 0 || at.offset > 0 || at.limit === 0) return null;
        break;
      case "source":
        return keyed(at, columns);
      default:
        return null;
    }
  }
}

function keyed(source: SourcePlan, columns: readonly number[]): KeyRead | null {
  const { lookup } = source;
  if (lookup?.exact !== true || lookup.index.kind !== "hash" || !lookup.index.isKey) return null;
  const [range, ...others] = lookup.ranges;
  if (range === undefined || others.length > 0 || range.equal.includes(null)) return null;
  const index = lookup.index.items.map(({ column }) => column);
  return { source, index, key: range.equal, columns };
}

export interface FoundRow {
  /** Null: there is none. */
  readonly row: readonly Datum[] | null;
  readonly position: number;
}

/** What readers see of it in the turn in which they ask; a row on disk comes back first. */
export async function readByKey(
  core: {
    readonly circuit: Circuit;
    readonly publisher: { readonly published: Published };
    readonly stepper: { sweep(): void };
  },
  { source, index, key, columns }: KeyRead,
): Promise<FoundRow> {
  const { epoch, position } = core.publisher.published;
  const { store } = core.circuit.relation(source);
  const { dictionary, cold } = store;
  const leased = store.hashIndex({ columns: index, unique: true });
  const codes = (): number[] => key.map((datum) => physicalOfDatum(datum, dictionary));
  const masks = masksOf(key);
  const find = (at: number): number => {
    let slot = leased.find(...codes(), ...masks);
    while (slot >= 0 && !store.visible(slot, at)) slot = leased.next(slot);
    return slot;
  };
  const row = (): FoundRow["row"] => {
    const slot = find(epoch);
    if (slot < 0) return null;
    const fields = columns.map((c) => source.schema.fields[c]!);
    const encoder = new RowEncoder(store, fields, null, columns);
    return columns.map((_, i) => encoder.datum(slot, i));
  };
  try {
    if (cold === null || cold.isEmpty) return { row: row(), position };
    const pin = store.pin(epoch, true);
    try {
      await cold.bring(codes, () => {
        const slot = find(LAST_EPOCH);
        if (slot >= 0) cold.asked(slot);
        return slot >= 0;
      });
      return { row: row(), position };
    } finally {
      pin.release();
      // What died meanwhile is freed, also if no step comes.
      core.stepper.sweep();
    }
  } finally {
    store.dropIndex(leased);
  }
}
