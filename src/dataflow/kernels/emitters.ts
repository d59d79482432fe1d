/**
 * Short code for the functions that loops call most; every other function goes the general way (compiler.ts).
 *
 * An emitter gets operands that are not null. It must agree with the library on every value, wide references and NaN included.
 */
import type { FunctionId } from "../../plan/functions.ts";
import { comparisonEmitters } from "./emit-comparisons.ts";
import { floatEmitters } from "./emit-floats.ts";
import { integerEmitters } from "./emit-integers.ts";
import { intervalEmitters } from "./emit-intervals.ts";
import { numericEmitters } from "./emit-numerics.ts";
import { textEmitters } from "./emit-text.ts";
import { timeEmitters } from "./emit-times.ts";
import type { Emitter } from "./operand-writer.ts";

export const emitters: Partial<Record<FunctionId, Emitter>> = {
  ...comparisonEmitters,
  ...integerEmitters,
  ...floatEmitters,
  ...numericEmitters,
  ...textEmitters,
  ...timeEmitters,
  ...intervalEmitters,
};
