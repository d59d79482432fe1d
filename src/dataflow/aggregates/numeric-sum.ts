/**
 * sum, avg, variances and standard deviations over unconstrained numeric, and sums the front end wants in another type: exact, as big
 * integers beside the row. See numeric-totals.ts.
 */
import { numeric, type SqlType, text } from "../../batch/types.ts";
import { scaleRead } from "../../state/decimal-digits.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { decimalFromText, decimalToText } from "../kernels/decimal.ts";
import { type ScalarError, takeFault } from "../kernels/errors.ts";
import { type Accumulator, Boxes, countCell, unlessEmpty } from "./accumulator.ts";
import {
  addNear,
  addToTotals,
  decodeTotals,
  encodeTotals,
  finishTotals,
  type NumericFunction,
  type NumericTotals,
  noTotals,
  usesSquares,
} from "./numeric-totals.ts";

export function numericSum(fn: NumericFunction, type: SqlType): Accumulator {
  const boxes = new Boxes<NumericTotals>({ decode: decodeTotals, encode: encodeTotals, fresh: noTotals });
  const squares = usesSquares(fn);
  let lastError: ScalarError | null = null;

  function add(slot: number, id: number, weight: number, dictionary: Dictionary): void {
    const totals = boxes.open(slot);
    if (!squares) {
      const unscaled = dictionary.unscaled(id);
      if (!Number.isNaN(unscaled) && addNear(totals, unscaled, scaleRead(), weight)) return;
    }
    addToTotals(totals, decimalFromText(dictionary.string(id)), weight, squares);
  }

  /** undefined: null. */
  function finish(slot: number, count: number, dictionary: Dictionary): number | undefined {
    const value = finishTotals(fn, boxes.peek(slot) ?? noTotals(), count);
    lastError = takeFault();
    if (value === null) return undefined;
    const printed = decimalToText(value);
    return type.name === "float8" ? Number(printed) : dictionary.internString(printed);
  }

  return {
    type: type.name === "float8" ? type : numeric,
    columns: [{ type: text, nullable: true }],
    boxed: boxes,
    add: (place) => `${place.bind(add)}(g, c${place.arg}[r], w, dictionary);`,
    result: (place) =>
      unlessEmpty(
        place,
        `value = ${place.bind(finish)}(g, ${countCell(place)}, dictionary); error = ${place.bind(() => lastError)}();
        if (value === undefined) { value = 0; isNull = 1; }`,
      ),
  };
}
