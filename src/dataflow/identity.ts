/**
 * Structural identity of plans within this process: equal identities, equal results. It is the plan's key (plan/fingerprint.ts) and, between
 * tildes, which functions of the user stand in it, because two closures of one text may differ. Without that part it is the same after
 * a restart, and names the store in a checkpoint.
 */
import type { Expr } from "../plan/expression.ts";
import { exprKey, planKey } from "../plan/fingerprint.ts";
import type { Plan } from "../plan/plan.ts";

type Call = (...rows: readonly unknown[]) => unknown;

const numbers = new WeakMap<Call, number>();
let count = 0;

const identities = new WeakMap<Plan, string>();

export function identityOf(plan: Plan): string {
  let identity = identities.get(plan);
  if (identity === undefined) {
    const calls: number[] = [];
    collectFunctions(plan, calls);
    identity = calls.length === 0 ? planKey(plan) : `${planKey(plan)}~${calls.join(",")}~`;
    identities.set(plan, identity);
  }
  return identity;
}

export function identityOfExpr(expr: Expr): string {
  const calls: number[] = [];
  collectFunctions(expr, calls);
  return calls.length === 0 ? exprKey(expr) : `${exprKey(expr)}~${calls.join(",")}~`;
}

/** The part of an identity that outlives the process. */
export function stableName(identity: string): string {
  return identity.replace(/~[\d,]*~/g, "");
}

function collectFunctions(part: unknown, calls: number[]): void {
  if (typeof part === "function") calls.push(numberOf(part as Call));
  else if (Array.isArray(part)) for (const item of part) collectFunctions(item, calls);
  else if (typeof part === "object" && part !== null) {
    // The initial value of a reducer is data of the user; its text is in the plan's key.
    for (const [name, value] of Object.entries(part)) if (name !== "initial") collectFunctions(value, calls);
  }
}

function numberOf(call: Call): number {
  let number = numbers.get(call);
  if (number === undefined) numbers.set(call, (number = ++count));
  return number;
}
