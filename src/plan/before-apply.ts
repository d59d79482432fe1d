/**
 * What a WHERE says of the left side alone is said before the subqueries beside it are asked.
 *
 * A filter over an apply is bound as one: FROM a, b WHERE a.k = b.k AND EXISTS (…) asks the subquery for all of a times b. Its conjuncts that read nothing of
 * the subquery move to the apply's left side, through as many applies as there are, so that decorrelation takes its domain from rows that are joined and
 * filtered. Fewer rows then meet what in the subquery can fail, as in PostgreSQL, which asks subqueries last. Conjuncts that can fail
 * themselves stay, and those behind them, which they may guard.
 */
import * as build from "./build.ts";
import { columnsOf, conjunction, conjuncts, inputsOf, isFallible } from "./inspect.ts";
import { withInputs } from "./nodes.ts";
import type { Plan } from "./plan.ts";

/** The same rows. */
export function filtersBeforeApplies(plan: Plan): Plan {
  // A subquery's plan may stand in several places; each is rewritten once.
  const done = new Map<Plan, Plan>();
  const visit = (at: Plan): Plan => {
    const known = done.get(at);
    if (known !== undefined) return known;
    const over = withInputs(at, inputsOf(at).map(visit));
    const made = over.kind === "filter" ? moved(over) : over;
    done.set(at, made);
    return made;
  };
  return visit(plan);
}

function moved(plan: Plan & { kind: "filter" }): Plan {
  const { input } = plan;
  if (input.kind !== "apply") return plan;
  const all = conjuncts(plan.predicate);
  const firstFallible = all.findIndex(isFallible);
  const width = input.left.schema.fields.length;
  const goes = all.map(
    (c, i) => (firstFallible < 0 || i < firstFallible) && [...columnsOf(c)].every((column) => column < width),
  );
  const below = conjunction(all.filter((_, i) => goes[i]));
  if (below === undefined) return plan;
  const left = moved(build.filter(input.left, below) as Plan & { kind: "filter" });
  const apply = build.apply({ ...input, left });
  const above = conjunction(all.filter((_, i) => !goes[i]));
  return above === undefined ? apply : build.filter(apply, above);
}
