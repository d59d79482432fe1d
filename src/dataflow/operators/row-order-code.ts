/**
 * Generated comparison of two rows of a store's columns: the order items, then all other columns ascending, then how equal values print. As in
 * state/ordered-index.ts.
 */
import type { OrderItem } from "../../plan/plan.ts";
import { compareCode, comparePrintedCode, mayPrintDifferently } from "../../state/equality.ts";
import type { Store } from "../../state/store.ts";

/** Code for a row's values, by column. */
export interface RowValues {
  read(column: number): string;
  isNull(column: number): string;
}

/**
 * Statements that return a number below 0 where the first row comes before the second, and above where it comes behind it. `dictionary` and the
 * helpers of state/equality.ts are in sight. `tie`: run where the order items do not tell them apart.
 */
export function compareRowsCode(
  { layout, dictionary }: Store,
  partition: readonly number[],
  order: readonly OrderItem[],
  first: RowValues,
  second: RowValues,
  tie: string,
): string {
  const typeOf = (c: number) => layout.columns[c]!.type;
  const item = ({ column: c, descending, nullsFirst }: OrderItem): string => {
    const difference = compareCode(dictionary, "dictionary", typeOf(c), first.read(c), second.read(c));
    const compareValues = `d = ${difference}; if (d !== 0) return ${descending ? "-d" : "d"};`;
    if (!layout.columns[c]!.nullable) return compareValues;
    return `m = ${first.isNull(c)}; n = ${second.isNull(c)}; if (m !== n) return ${nullsFirst ? "n - m" : "m - n"}; if (m === 0) { ${compareValues} }`;
  };
  const ordered = new Set([...order.map((o) => o.column), ...partition]);
  const rest = layout.columns.map((_, i) => i).filter((i) => !ordered.has(i));
  const printed = layout.columns
    .map((_, i) => i)
    .filter((i) => mayPrintDifferently(dictionary, typeOf(i)))
    .map((c) => {
      const difference = comparePrintedCode("dictionary", typeOf(c), first.read(c), second.read(c));
      return `d = ${difference}; if (d !== 0) return d;`;
    });
  const lines = [
    "let d = 0, m = 0, n = 0;",
    ...order.map(item),
    tie,
    ...rest.map((column) => item({ column, descending: false, nullsFirst: false })),
    ...printed,
    "return 0;",
  ];
  return lines.join("\n    ");
}
