/**
 * Sums and variances of different numerics. Equal numerics may print differently, and the sum shows it: so they are not counted as
 * they come, as other types are, but read in their order, of each value the first form.
 */
import { numeric, type SqlType } from "../../../batch/types.ts";
import type { Dictionary } from "../../../state/dictionary.ts";
import { decimalFromText, decimalToText } from "../../kernels/decimal.ts";
import { type ScalarError, takeFault } from "../../kernels/errors.ts";
import {
  addToTotals,
  finishTotals,
  type NumericFunction,
  type NumericTotals,
  noTotals,
  usesSquares,
} from "../numeric-totals.ts";
import type { Collector, GatheredRow } from "./collector.ts";

export class DistinctNumerics implements Collector {
  readonly type: SqlType = numeric;
  readonly strict = true;
  error: ScalarError | null = null;
  readonly #fn: NumericFunction;
  readonly #dictionary: Dictionary;
  #totals: NumericTotals = noTotals();
  #count = 0;

  constructor(fn: NumericFunction, dictionary: Dictionary) {
    this.#fn = fn;
    this.#dictionary = dictionary;
  }

  begin(): void {
    this.error = null;
    this.#totals = noTotals();
    this.#count = 0;
  }

  take(row: GatheredRow): boolean {
    const value = decimalFromText(this.#dictionary.string(row.value(0) as number));
    addToTotals(this.#totals, value, 1, usesSquares(this.#fn));
    this.#count++;
    return true;
  }

  end(): number | null {
    const value = this.#count === 0 ? null : finishTotals(this.#fn, this.#totals, this.#count);
    this.error = takeFault();
    return value === null || this.error !== null ? null : this.#dictionary.internString(decimalToText(value));
  }
}
