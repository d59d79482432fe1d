/**
 * Values that become a domain's.
 *
 * Only where a value is cast to the domain or stored in a column of it are its constraints asked; anywhere else its values are the base
 * type's, as in PostgreSQL. A CHECK is kept as its text, over `value`, and bound where it is asked.
 */
import { bool, type SqlType, text as textType } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { branch, conjunction, substitute, typeOf } from "../plan/inspect.ts";
import { toBoolean } from "./bound.ts";
import { parseExpression } from "./kept-text.ts";
import type { ExprPlace } from "./place.ts";
import { type Scope, tableScope } from "./scope.ts";

/** The condition over a row whose only column is the value. `place`: any in the statement. */
export function bindCheck(text: string, base: SqlType, place: ExprPlace): Expr {
  const { node, source } = parseExpression(text);
  const ctx = place.ctx.within(source, "a domain");
  const alone = { aggregates: null, windows: null, subqueries: null } as const;
  const inner: ExprPlace = { ...place, ...alone, ctx, scope: valueScope(base), clause: "CHECK" };
  return toBoolean(place.bind(node, inner), "CHECK", ctx);
}

function valueScope(base: SqlType): Scope {
  const plan = build.values([{ name: "value", type: base }], [[null]]);
  return tableScope("", plan, [{ name: "value", expr: build.column(plan, 0) }]);
}

export function withoutDomain(type: SqlType): SqlType {
  if (type.domain === undefined) return type;
  const { domain: _, ...base } = type;
  return base;
}

/** The value, of the base type, if the type's constraints hold for it; else an error. */
export function inDomain(value: Expr, type: SqlType, place: ExprPlace): Expr {
  const { domain } = type;
  if (domain === undefined) return value;
  const base = withoutDomain(type);
  const conditions: Expr[] = [];
  if (domain.notNull) {
    const isThere: Expr = { kind: "not", arg: { kind: "isNull", arg: value } };
    conditions.push(holds(isThere, `domain ${domain.name} does not allow null values`, "not_null_violation"));
  }
  for (const { name, text } of domain.checks) {
    const message = `value for domain ${domain.name} violates check constraint "${name}"`;
    const asked = substitute(bindCheck(text, base, place), () => value);
    conditions.push(holds(asked, message, "check_violation"));
  }
  if (conditions.length === 0) return value;
  return {
    kind: "case",
    branches: [branch(conjunction(conditions)!, value)],
    otherwise: value,
    type: typeOf(value),
  };
}

function holds(condition: Expr, message: string, code: "check_violation" | "not_null_violation"): Expr {
  const args = [condition, build.constant(message, textType), build.constant(code, textType)];
  return { kind: "call", fn: "domain_holds", args, type: bool };
}
