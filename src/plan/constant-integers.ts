/**
 * Whole numbers made of constants alone, `- (+ 28)` or `1 + 10`: what they come to, so that they need not count as what may fail. As far as planning
 * asks; rows are computed by the kernels.
 */
import type { Expr } from "./expression.ts";

type Operation = (a: bigint, b: bigint) => bigint | null;

const operations: Readonly<Record<string, Operation>> = {
  neg: (a) => -a,
  plus: (a) => a,
  abs: (a) => (a < 0n ? -a : a),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => (b === 0n ? null : a / b),
  mod: (a, b) => (b === 0n ? null : a % b),
};

/** Null: it is no such number, or computing it fails. */
export function constantInteger(expr: Expr): bigint | null {
  if (expr.kind === "const") {
    const isWhole = typeof expr.value === "bigint" || Number.isInteger(expr.value);
    return bitsOf(expr.type.name) === 0 || !isWhole ? null : BigInt(expr.value as bigint | number);
  }
  if (expr.kind !== "call") return null;
  const [, bits, name] = /^int([248])_([a-z]+)$/.exec(expr.fn) ?? [];
  const operation = name === undefined ? undefined : operations[name];
  if (operation === undefined || expr.args.length > 2) return null;
  const args = expr.args.map(constantInteger);
  if (args.some((arg) => arg === null)) return null;
  const result = operation(args[0] as bigint, (args[1] ?? 0n) as bigint);
  return result === null || BigInt.asIntN(Number(bits) * 8, result) !== result ? null : result;
}

function bitsOf(type: string): number {
  return type === "int2" || type === "int4" || type === "int8" ? Number(type.slice(3)) * 8 : 0;
}
