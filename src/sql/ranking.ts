/**
 * row_number() as top-k. A query that numbers rows and an outer query that keeps the first numbers is a top-k per group:
 *
 *   SELECT .. FROM (SELECT .., row_number() OVER (PARTITION BY p ORDER BY o) AS rn FROM t) s WHERE rn <= 3
 *
 * The conjuncts of the outer WHERE (or ON) that compare rn with constants are taken out and become the ranks kept; what compares it in
 * any other way, or reads it as a value, is refused. (When one rank is left, rn is that constant.)
 */
import type { Node } from "libpg-query";
import type { BindContext } from "./context.ts";
import { as, stringOf } from "./tree.ts";

/** First and last rank kept. */
export interface Ranks {
  readonly first: number;
  readonly last: number;
}

/** Conjuncts, still unbound, in which ranks may be asked for. */
export class RankFilters {
  private readonly conjuncts: readonly Node[];
  private readonly outer: RankFilters | null;
  private readonly taken: Set<Node>;

  constructor(conjuncts: readonly Node[], outer: RankFilters | null = null) {
    this.conjuncts = conjuncts;
    this.outer = outer;
    this.taken = outer === null ? new Set() : outer.taken;
  }

  /** The conjuncts that are not about ranks. */
  rest(): Node[] {
    return this.conjuncts.filter((c) => !this.taken.has(c));
  }

  /** What was taken from here: names in it are still to be looked up, lest one is ambiguous. */
  used(): Node[] {
    return this.conjuncts.filter((c) => this.taken.has(c));
  }

  /** Takes what is said of `table.column`; undefined if nothing is. */
  take(table: string, column: string, ctx: BindContext): Ranks | undefined {
    let ranks = this.outer?.take(table, column, ctx);
    for (const conjunct of this.conjuncts) {
      const found = ranksIn(conjunct, table, column, ctx);
      if (found === undefined) continue;
      this.taken.add(conjunct);
      const before: Ranks = ranks ?? { first: 1, last: Number.POSITIVE_INFINITY };
      ranks = { first: Math.max(before.first, found.first), last: Math.min(before.last, found.last) };
    }
    return ranks;
  }
}

/** `a AND b AND c` as [a, b, c]. */
export function splitAnd(node: Node | undefined): Node[] {
  if (node === undefined) return [];
  const logic = as(node, "BoolExpr");
  return logic?.boolop === "AND_EXPR" ? (logic.args ?? []).flatMap(splitAnd) : [node];
}

/** The column a rank conjunct compares. */
export function rankColumnOf(conjunct: Node): Node {
  const { lexpr, rexpr } = as(conjunct, "A_Expr")!;
  return as(lexpr, "ColumnRef") === undefined ? rexpr! : lexpr!;
}

const mirrored: Readonly<Record<string, string>> = { "<": ">", "<=": ">=", "=": "=", ">": "<", ">=": "<=" };

function ranksIn(node: Node, table: string, column: string, ctx: BindContext): Ranks | undefined {
  const comparison = as(node, "A_Expr");
  if (comparison === undefined) return undefined;
  const { lexpr, rexpr } = comparison;
  if (comparison.kind === "AEXPR_BETWEEN" && names(lexpr, table, column)) {
    const [low, high] = (as(rexpr, "List")?.items ?? []).map((n) => integer(n, ctx));
    return low === undefined || high === undefined ? undefined : { first: Math.max(1, low), last: high };
  }
  if (comparison.kind !== "AEXPR_OP" || lexpr === undefined || rexpr === undefined) return undefined;
  const op = stringOf(comparison.name?.at(-1));
  if (mirrored[op] === undefined) return undefined;
  if (names(lexpr, table, column)) return ranksOf(op, integer(rexpr, ctx));
  if (names(rexpr, table, column)) return ranksOf(mirrored[op], integer(lexpr, ctx));
  return undefined;
}

function names(node: Node | undefined, table: string, column: string): boolean {
  const fields = as(node, "ColumnRef")?.fields;
  if (fields === undefined || fields.some((f) => as(f, "String") === undefined)) return false;
  const parts = fields.map(stringOf);
  return parts.at(-1) === column && (parts.length === 1 || (parts.length === 2 && parts[0] === table));
}

function ranksOf(op: string, k: number | undefined): Ranks | undefined {
  if (k === undefined) return undefined;
  const last = Number.POSITIVE_INFINITY;
  switch (op) {
    case "<":
      return { first: 1, last: k - 1 };
    case "<=":
      return { first: 1, last: k };
    case "=":
      return { first: k, last: k < 1 ? 0 : k };
    case ">":
      return { first: Math.max(1, k + 1), last };
    default:
      return { first: Math.max(1, k), last };
  }
}

/** A whole number written out or given as a parameter. */
function integer(node: Node, ctx: BindContext): number | undefined {
  const constant = as(node, "A_Const");
  if (constant?.ival !== undefined) return constant.ival.ival ?? 0;
  const param = as(node, "ParamRef");
  if (param === undefined) return undefined;
  const { text } = ctx.param(param.number ?? 0, ctx.position(param.location));
  return text !== null && /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}
