/** + - * / % of a jsonpath: numeric's. */
import type { BinaryOperator } from "../../../batch/jsonpath/tree.ts";
import {
  addDecimals,
  type Decimal,
  divideDecimals,
  multiplyDecimals,
  remainderOfDecimals,
  subtractDecimals,
} from "../decimal.ts";
import { raiseFault } from "./path-fault.ts";

const operations: Readonly<Record<BinaryOperator, (a: Decimal, b: Decimal) => Decimal>> = {
  "+": addDecimals,
  "-": subtractDecimals,
  "*": multiplyDecimals,
  "/": divideDecimals,
  "%": remainderOfDecimals,
};

export function arithmetic(op: BinaryOperator, a: Decimal, b: Decimal): Decimal {
  const made = operations[op](a, b);
  raiseFault();
  return made;
}
