/** What wide queries read: one relation, two, or a join within a join, each join of any sort. */
import { type Fragment, fragment, type Part } from "../fragment.ts";
import { pick } from "../kinds.ts";
import { isWide, numbers } from "./kinds.ts";
import { type Column, condition, newAlias, type Scene, type Scope, sql } from "./terms.ts";

export interface From {
  readonly sql: Fragment;
  readonly scope: Scope;
  readonly factors: number;
}

const joins = ["JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"];

/** One relation in which no more than so many tables multiply. */
export function oneRelation(scene: Scene, factorsMax: number): From {
  const fitting = scene.relations.filter((r) => r.factors <= factorsMax);
  const relation = pick(scene.random, fitting.length === 0 ? scene.tables : fitting);
  const alias = newAlias(scene);
  const scope = relation.columns.map((c) => ({ sql: `${alias}.${c.name}`, kind: c.kind }));
  const simpler = scene.tables.slice(0, 1).map((t) => `${t.name} ${alias}`);
  return {
    sql: fragment("relation", [`${relation.name} ${alias}`], simpler),
    scope,
    factors: relation.factors,
  };
}

export function someFrom(scene: Scene, factorsMax = 3): From {
  const { random } = scene;
  const a = oneRelation(scene, factorsMax);
  if (random.oneIn(2) || a.factors + 1 > factorsMax) return from([a.sql], a.scope, a.factors);
  const b = oneRelation(scene, factorsMax - a.factors);
  const join = pick(random, joins);
  const two = a.factors + b.factors;
  if (two + 1 > factorsMax || !random.oneIn(3)) {
    const parts = sql`${a.sql} ${join} ${b.sql} ON ${on(scene, a.scope, b.scope, join)}`;
    return from(parts, [...a.scope, ...b.scope], two);
  }
  const c = oneRelation(scene, factorsMax - two);
  const within = pick(random, joins);
  const inner = fragment(
    "from",
    sql`(${b.sql} ${within} ${c.sql} ON ${on(scene, b.scope, c.scope, within)})`,
  );
  const right = [...b.scope, ...c.scope];
  const parts = sql`${a.sql} ${join} ${inner} ON ${on(scene, a.scope, right, join)}`;
  return from(parts, [...a.scope, ...right], two + c.factors);
}

function from(parts: readonly Part[], scope: Scope, factors: number): From {
  return { sql: fragment("from", parts), scope, factors };
}

function on(scene: Scene, left: Scope, right: Scope, join: string): Fragment {
  const { random } = scene;
  const pairs = left.flatMap((a) => right.filter((b) => comparableWith(a, b)).map((b) => [a, b] as const));
  if (pairs.length === 0) return fragment("bool", ["true"]);
  const [a, b] = pick(random, pairs);
  const equal = fragment("bool", [`${a.sql} = ${b.sql}`]);
  // PostgreSQL has FULL JOIN by equality alone.
  if (join === "FULL JOIN") return equal;
  const parts = (): Part[] => {
    switch (random.below(9)) {
      case 0:
        return [`${a.sql} IS NOT DISTINCT FROM ${b.sql}`];
      case 1:
        return [`${a.sql} ${pick(random, ["<", "<=", ">", "<>"])} ${b.sql}`];
      case 2:
        return sql`${equal} OR ${pick(random, left).sql} IS NULL`;
      case 3:
        return [pick(random, ["true", "false", "NULL"])];
      case 4:
        return sql`${equal} AND ${condition(scene, left, 0)}`;
      case 5:
        return sql`${equal} AND ${condition(scene, right, 0)}`;
      case 6:
        return sql`${equal} AND (${condition(scene, [...left, ...right])})`;
      default:
        return [equal];
    }
  };
  return fragment("bool", parts(), ["true"]);
}

function comparableWith(a: Column, b: Column): boolean {
  if (!isWide(a.kind) || !isWide(b.kind)) return false;
  return a.kind === b.kind || (numbers.includes(a.kind) && numbers.includes(b.kind));
}
