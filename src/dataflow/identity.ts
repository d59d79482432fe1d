/**
 * Structural identity of plans within this process: equal identities, equal results. It is the plan's key (plan/fingerprint.ts) and, between
 * tildes, which functions of the user stand in it, because two closures of one text may differ. Without that part it is the same after
 * a restart, and names the store in a checkpoint.
 */
import { createHash } from "node:crypto";
import type { Expr } from "../plan/expression.ts";
import { exprKey, planKey, routineKey } from "../plan/fingerprint.ts";
import { inputsOf } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import type { Routine } from "../plan/routines.ts";

type Call = (...rows: readonly unknown[]) => unknown;

const numbers = new WeakMap<Call, number>();
let count = 0;

const identities = new WeakMap<Plan, string>();

export function identityOf(plan: Plan): string {
  let identity = identities.get(plan);
  if (identity === undefined) {
    const functions = functionsIn(plan);
    identity = functions === 0 ? planKey(plan) : `${planKey(plan)}~${functions}~`;
    identities.set(plan, identity);
  }
  return identity;
}

/** By what stands in a plan, a number: 0 for no functions. A plan may be a graph, in which a part is met again and again: it is looked at once. */
const functionsOfPlans = new WeakMap<Plan, number>();
const functionSets = new Map<string, number>();

function functionsIn(plan: Plan): number {
  let functions = functionsOfPlans.get(plan);
  if (functions !== undefined) return functions;
  const own: number[] = [];
  for (const part of plan.kind === "values" ? [] : Object.values(plan)) collectFunctions(part, own);
  const inputs = inputsOf(plan).map(functionsIn);
  if (own.length === 0 && inputs.every((i) => i === 0)) functions = 0;
  else {
    const all = `${own.join()};${inputs.join()}`;
    functions = functionSets.get(all) ?? functionSets.size + 1;
    functionSets.set(all, functions);
  }
  functionsOfPlans.set(plan, functions);
  return functions;
}

export function identityOfExpr(expr: Expr): string {
  const calls: number[] = [];
  collectFunctions(expr, calls);
  return calls.length === 0 ? exprKey(expr) : `${exprKey(expr)}~${calls.join(",")}~`;
}

export function identityOfRoutine(routine: Routine): string {
  const calls: number[] = [];
  collectFunctions(routine, calls);
  return `${routineKey(routine)}~${calls.join(",")}~`;
}

/** Longer ones are cut to a digest: what reads a long list of expressions names it, and so does what reads that. */
const LONG = 1_000;

/** The same, or what stands for it. */
export function shortened(identity: string): string {
  if (identity.length <= LONG) return identity;
  const digest = createHash("sha256").update(stableName(identity)).digest("hex").slice(0, 32);
  return `${digest}${(identity.match(FUNCTIONS) ?? []).join("")}`;
}

const FUNCTIONS = /~[\d,]*~/g;

/** The part of an identity that outlives the process. */
export function stableName(identity: string): string {
  return identity.replace(FUNCTIONS, "");
}

function collectFunctions(part: unknown, calls: number[]): void {
  if (typeof part === "function") calls.push(numberOf(part as Call));
  else if (Array.isArray(part)) for (const item of part) collectFunctions(item, calls);
  else if (typeof part === "object" && part !== null) {
    if (isPlan(part)) return;
    // The initial value of a reducer is data of the user; its text is in the plan's key.
    for (const [name, value] of Object.entries(part)) if (name !== "initial") collectFunctions(value, calls);
  }
}

function isPlan(part: object): boolean {
  return "kind" in part && "schema" in part && "appendOnly" in part;
}

function numberOf(call: Call): number {
  let number = numbers.get(call);
  if (number === undefined) numbers.set(call, (number = ++count));
  return number;
}
