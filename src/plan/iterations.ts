/**
 * A recursion as a loop: what its operator runs, as a plan without recursion.
 *
 * The rows that iteration i has found carry i in one column more. The step is made for all iterations at once: as a subquery that is
 * evaluated for each iteration over the rows that carry its number (decorrelate.ts knows how), so that a join, a group, a
 * window of the step never brings rows of two iterations together. Its rows carry the number of the iteration they were made *from*; those of the
 * base carry -1.
 *
 *     derived = base x {-1}  UNION ALL  step over found, for each iteration
 *
 * What of the step does not depend on the recursion is cut out of it: an input, like the base.
 */
import { notSupported } from "../base/errors.ts";
import { bool, int4 } from "../batch/types.ts";
import * as build from "./build.ts";
import { overDomain } from "./dependent.ts";
import type { Expr } from "./expression.ts";
import { resolveOperator } from "./functions.ts";
import { inputsOf } from "./inspect.ts";
import { withInputs } from "./nodes.ts";
import type { Plan, RecursivePlan, SourcePlan } from "./plan.ts";

export interface Loop {
  /** What comes from outside: the base first. The loop reads input i as stream i. */
  readonly inputs: readonly Plan[];
  /** The stream of what was found: the recursion's columns, then the iteration. */
  readonly found: number;
  /** The recursion's columns, then the iteration from which a row was made. */
  readonly derived: Plan;
}

/** The iteration's column in what was found and in what is derived; never null. */
const ITERATION = { name: "iteration", type: int4, nullable: false } as const;

/** Inside a loop there is one apply: that of the step to the iterations. */
const APPLY = 0;
const FOUND = 0x7fffffff;
const BASE = 0;

/** What cannot be made of a recursion's own rows while it is under way. */
const NOT_IN_STEP: { readonly [kind: string]: string } = {
  recursive: "WITH RECURSIVE that reads the recursive query around it",
  temporal: "now() beside a recursive query's own rows",
  asOfJoin: "an as-of join of a recursive query's own rows",
  mapFunction: "a function in TypeScript over a recursive query's own rows",
};

export function loopOf(plan: RecursivePlan): Loop {
  const { base, id, all } = plan;
  const fields = plan.schema.fields;
  const width = fields.length;
  const found = build.source({
    id: FOUND,
    name: "found",
    kind: "stream",
    schema: { fields: [...fields, ITERATION] },
    key: all ? null : [...fields, ITERATION].map((_, i) => i),
    appendOnly: false,
  });
  const iterations = build.distinct(build.projectColumns(found, [width]));
  const step = overDomain(replaceRef(plan.step, id, ofIteration(found)), APPLY, iterations);
  const inputs: Plan[] = [base];
  const cut = cutInputs(step, found, inputs);
  const start = build.source({
    id: BASE,
    name: "base",
    kind: "stream",
    // As nullable as what is made of it.
    schema: { fields: fields.map((f) => ({ ...f, nullable: true })) },
    key: null,
    appendOnly: base.appendOnly,
  });
  const marked = build.project(
    start,
    [...fields.map((_, i) => build.column(start, i)), build.constant(-1, int4)],
    [...fields, ITERATION].map((f) => f.name),
  );
  return { inputs, found: FOUND, derived: build.union([marked, cut]) };
}

/** The rows found in the iteration that the step is evaluated for, without its number. */
function ofIteration(found: SourcePlan): Plan {
  const width = found.schema.fields.length - 1;
  const equal = resolveOperator("=", [int4, int4]);
  const args: Expr[] = [
    build.column(found, width),
    { kind: "outer", apply: APPLY, index: 0, type: int4, nullable: false },
  ];
  const own = build.filter(found, { kind: "call", fn: equal.fn, args, type: bool });
  return build.projectColumns(
    own,
    Array.from({ length: width }, (_, i) => i),
  );
}

/** The step with `by` where it reads recursion `id`. */
function replaceRef(step: Plan, id: number, by: Plan): Plan {
  const done = new Map<Plan, Plan>();
  const visit = (at: Plan): Plan => {
    let made = done.get(at);
    if (made !== undefined) return made;
    if (at.kind === "recursiveRef" && at.id === id) made = by;
    else if (!readsRef(at, id)) made = at;
    else if (at.kind in NOT_IN_STEP) throw notSupported(NOT_IN_STEP[at.kind]!);
    else made = withInputs(at, inputsOf(at).map(visit));
    done.set(at, made);
    return made;
  };
  return visit(step);
}

/** A recursion inside has the same number if it stands in a WITH of its own: what its step reads is its own. */
function readsRef(plan: Plan, id: number): boolean {
  if (plan.kind === "recursiveRef") return plan.id === id;
  if (plan.kind === "recursive" && plan.id === id) return readsRef(plan.base, id);
  return inputsOf(plan).some((input) => readsRef(input, id));
}

/** The plan with streams in place of its largest parts that do not read `found`; those are added to the inputs. */
function cutInputs(plan: Plan, found: Plan, inputs: Plan[]): Plan {
  const done = new Map<Plan, Plan>();
  const reads = new Map<Plan, boolean>();
  const readsFound = (at: Plan): boolean => {
    let known = reads.get(at);
    if (known === undefined) reads.set(at, (known = at === found || inputsOf(at).some(readsFound)));
    return known;
  };
  const visit = (at: Plan): Plan => {
    let made = done.get(at);
    if (made !== undefined) return made;
    if (at === found) made = at;
    else if (readsFound(at)) made = withInputs(at, inputsOf(at).map(visit));
    else {
      const id = inputs.push(at) - 1;
      const { schema, key, appendOnly } = at;
      made = build.source({ id, name: `input ${id}`, kind: "stream", schema, key, appendOnly });
    }
    done.set(at, made);
    return made;
  };
  return visit(plan);
}
