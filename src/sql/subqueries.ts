/**
 * Subqueries as values: EXISTS, IN, ANY, ALL, and a query in parentheses.
 *
 * While an expression is bound, a subquery in it is stood for by a column numbered from SUBQUERIES on. Once it is known over which rows the
 * expression is evaluated (before or after they are grouped), attach() applies the subqueries to those rows, and the stand-ins become
 * columns of the apply. What a subquery reads of the rows around it are `outer` columns in its plan; plan/decorrelate.ts makes joins of it.
 *
 * - EXISTS (q): whether the apply of the distinct constant `true FROM q` finds it.
 * - x op ANY (q): true if EXISTS (q WHERE x op y). Else, where a comparison with null can have kept that from being known,
 *   null if it did: EXISTS (q WHERE y IS NULL), or x IS NULL AND EXISTS (q). Else false.
 * - x op ALL (q): NOT (NOT (x op y) for ANY).
 * - ARRAY (q): array_agg of its only column in its order, empty where there is no row.
 * - (q): its only column; where there is more than one row, asking for it is an error.
 */
import type { SelectStmt } from "libpg-query";
import { assert } from "../base/assert.ts";
import { EvertError, notSupported } from "../base/errors.ts";
import { bool, int8 } from "../batch/types.ts";
import { resolveAggregate } from "../plan/aggregate-functions.ts";
import * as build from "../plan/build.ts";
import type { ColumnExpr, Expr, OuterExpr } from "../plan/expression.ts";
import { resolveOperator } from "../plan/functions.ts";
import {
  branch,
  conjunction,
  eachColumn,
  isTotal,
  mapChildren,
  nullableOf,
  typeOf,
} from "../plan/inspect.ts";
import { mapOuter, outersOf, readsOuter } from "../plan/outer-columns.ts";
import type { Plan } from "../plan/plan.ts";
import { type Bound, boundType, callOf, leftmost, typed } from "./bound.ts";
import type { ExprPlace, SubquerySink } from "./place.ts";
import { type BoundQuery, columnBounds, type QueryEnv } from "./query.ts";
import { makeRecord } from "./records.ts";
import { numbered } from "./row-order.ts";
import { outward, type Scope } from "./scope.ts";
import { SUBQUERIES } from "./stand-ins.ts";
import { as, type NodeOf, stringOf } from "./tree.ts";

interface Subquery {
  readonly id: number;
  readonly type: "inner" | "left";
  /** Up to COLUMNS columns. */
  readonly plan: Plan;
}

/** Columns that a subquery may have: column j of subquery i is stood for by SUBQUERIES + COLUMNS * i + j. */
const COLUMNS = 2;

const PLAIN = { filter: null, reducer: null } as const;

export class Subqueries implements SubquerySink {
  private readonly env: QueryEnv;
  private readonly scope: Scope;
  private readonly subqueries: Subquery[] = [];
  /** Stand-in -> column of the rows it was applied to. */
  private readonly attached = new Map<number, ColumnExpr>();

  constructor(env: QueryEnv, scope: Scope) {
    this.env = env;
    this.scope = scope;
  }

  /** `known`: null means the same as false where it stands. */
  bind(link: NodeOf<"SubLink">, place: ExprPlace, known = false): Bound {
    const { ctx } = place;
    const select = as(link.subselect, "SelectStmt");
    const position = ctx.position(link.location);
    if (select === undefined) throw notSupported("this kind of subquery", position);
    switch (link.subLinkType) {
      case "EXISTS_SUBLINK":
        return typed(this.exists(select, place), link.location);
      case "ANY_SUBLINK":
      case "ALL_SUBLINK":
        return this.quantified(link, select, place, known);
      case "EXPR_SUBLINK":
        return typed(this.value(select, place, position), link.location);
      case "ARRAY_SUBLINK":
        return typed(this.array(select, position, place), link.location);
      default:
        throw notSupported("this kind of subquery", position);
    }
  }

  /**
   * The subqueries that the expressions name, applied to `plan`. `move`: what a column of the scope is in the plan, where they are not
   * the same; undefined where there is none.
   */
  attach(plan: Plan, exprs: readonly Expr[], move?: (column: number) => Expr): Plan {
    let over = plan;
    for (const index of this.named(exprs)) {
      const { id, type, plan: right } = this.subqueries[index]!;
      const moved = mapOuter(right, id, (o) => {
        const to = this.attached.get(o.index) ?? move?.(o.index) ?? o;
        assert(
          to.kind === "column" || to === o,
          "what a subquery reads of its surroundings is a column there",
        );
        return to.kind === "column" ? { ...o, index: to.index, type: to.type, nullable: to.nullable } : o;
      });
      const width = over.schema.fields.length;
      over = build.apply({ id, type, left: over, right: moved });
      for (let j = 0; j < right.schema.fields.length; j++)
        this.attached.set(SUBQUERIES + COLUMNS * index + j, build.column(over, width + j));
    }
    return over;
  }

  /** Subqueries in the expressions that are not attached yet, each after those that its own plan reads. */
  private named(exprs: readonly Expr[]): number[] {
    const found = new Set<number>();
    const add = (c: number): void => {
      const index = Math.floor((c - SUBQUERIES) / COLUMNS);
      if (index < 0 || this.attached.has(c) || found.has(index)) return;
      const { id, plan } = this.subqueries[index]!;
      for (const o of outersOf(plan, id)) add(o.index);
      found.add(index);
    };
    for (const expr of exprs) eachColumn(expr, add);
    return [...found];
  }

  /** What the subqueries in the expression read of the rows around them. */
  outerColumns(expr: Expr): OuterExpr[] {
    return this.named([expr])
      .flatMap((index) => {
        const { id, plan } = this.subqueries[index]!;
        return outersOf(plan, id);
      })
      .filter((o) => o.index < SUBQUERIES);
  }

  /** The expression with its stand-ins replaced by the columns they were attached as. */
  resolve(expr: Expr): Expr {
    if (expr.kind !== "column") return mapChildren(expr, (child) => this.resolve(child));
    return this.attached.get(expr.index) ?? expr;
  }

  // ---- kinds ------------------------------------------------------------------------------------------------------

  private exists(select: SelectStmt, place: ExprPlace): Expr {
    const { query, id } = this.query(withColumns(select), place);
    return this.existsIn(query.plan, id);
  }

  private existsIn(plan: Plan, id: number): Expr {
    if (!readsOuter(plan, id)) {
      const counted = build.group(plan, [], [{ fn: "count", arg: null, type: int8, ...PLAIN }], ["count"]);
      const args = [build.column(counted, 0), build.constant(0n, int8)];
      const some: Expr = { kind: "call", fn: "int8_gt", args, type: bool };
      return this.add({ id, type: "inner", plan: build.project(counted, [some], ["exists"]) });
    }
    const found = build.distinct(build.project(plan, [build.constant(true, bool)], ["?column?"]));
    return { kind: "not", arg: { kind: "isNull", arg: this.add({ id, type: "left", plan: found }) } };
  }

  row(link: NodeOf<"SubLink">, place: ExprPlace): Expr {
    const { query, id } = this.query(as(link.subselect, "SelectStmt")!, place);
    const fields = this.columns(query).map((expr, i) => ({ name: query.columns[i]!.name, expr }));
    return this.only(query, id, makeRecord(fields), "row");
  }

  private value(select: SelectStmt, place: ExprPlace, position: number | undefined): Expr {
    const { query, id } = this.query(select, place);
    if (query.columns.length !== 1) {
      throw new EvertError("syntax_error", "subquery must return only one column", { position });
    }
    return this.only(query, id, this.columns(query)[0]!, query.columns[0]!.name);
  }

  /** The value for the query's only row. */
  private only(query: BoundQuery, id: number, value: Expr, name: string): Expr {
    const one = build.project(query.plan, [value], [name]);
    // What depends on the outer row and has at most one row needs no count of them.
    const single = isTotal(one) || (one.key?.length === 0 && readsOuter(one, id));
    if (single) return this.add({ id, type: isTotal(one) ? "inner" : "left", plan: one });
    const only = this.add({ id, type: "inner", plan: counted(one) }, 1);
    return onlyRow(this.standIn(this.subqueries.length - 1, 0), only);
  }

  private array(select: SelectStmt, position: number | undefined, place: ExprPlace): Expr {
    const { query, id } = this.query(select, place);
    const [value] = this.columns(query);
    if (query.columns.length !== 1) {
      throw new EvertError("syntax_error", "subquery must return only one column", { position });
    }
    const own = query.order.length > 0 ? null : numbered(query.plan);
    const rows = own?.plan ?? query.plan;
    const order = (own === null ? query.order : [own.order]).map(({ column, descending, nullsFirst }) => ({
      expr: build.column(rows, column),
      descending,
      nullsFirst,
    }));
    const { type } = resolveAggregate("array_agg", [typeOf(value!)], position);
    const collected = {
      fn: "array_agg",
      arg: value!,
      type,
      ...PLAIN,
      ...(order.length > 0 ? { order } : {}),
    } as const;
    const plan = build.group(rows, [], [collected], ["array"]);
    const none: Expr = { kind: "const", value: "{}", type };
    return { kind: "coalesce", args: [this.add({ id, type: "inner", plan }), none], type };
  }

  private quantified(link: NodeOf<"SubLink">, select: SelectStmt, place: ExprPlace, known: boolean): Bound {
    const { ctx } = place;
    const position = ctx.position(link.location);
    const rows = as(link.testexpr, "RowExpr")?.args ?? [link.testexpr!];
    const tested = rows.map((node) => place.bind(node, place));
    const { query, id } = this.query(select, place);
    if (query.columns.length !== tested.length) {
      const message = `subquery has too ${query.columns.length > tested.length ? "many" : "few"} columns`;
      throw new EvertError("syntax_error", message, { position });
    }
    const all = link.subLinkType === "ALL_SUBLINK";
    const op = link.operName === undefined ? "=" : stringOf(link.operName.at(-1));
    if (tested.length > 1 && op !== "=" && op !== "<>")
      throw notSupported(`${op} ${all ? "ALL" : "ANY"} of several columns`, position);
    const own = query.columns.map((c, i): Bound => {
      const bound = columnBounds(query)[i]!;
      return c.literal === null ? bound : typed(this.columns(query)[i]!, undefined);
    });
    const sides = tested.map((left, i): Expr => {
      const right = own[i]!;
      const resolution = resolveOperator(op, [boundType(left), boundType(right)], position);
      const call = callOf(resolution, [left, right], ctx) as Expr & { kind: "call" };
      if (call.type.name !== "bool") {
        const message = `operand of ${all ? "ALL" : "ANY"} must give a boolean`;
        throw new EvertError("datatype_mismatch", message, { position });
      }
      // The tested side still reads the scope: its columns are outer ones in the subquery.
      return { ...call, args: [this.outward(call.args[0]!, id), call.args[1]!] };
    });
    const together: Expr =
      sides.length === 1 ? sides[0]! : op === "<>" ? { kind: "or", args: sides } : conjunction(sides)!;
    const match: Expr = all ? { kind: "not", arg: together } : together;
    const sets = place.aggregates?.hasSets === true;
    const some = this.someMatch(query.plan, id, match, tested, own, known && !all, sets);
    return typed(all ? { kind: "not", arg: some } : some, leftmost(link.location, tested));
  }

  /** With the places at which its columns are named: they may turn out to be ungrouped. */
  private outward(expr: Expr, id: number): Expr {
    if (expr.kind !== "column") return mapChildren(expr, (child) => this.outward(child, id));
    const seen = outward(expr, id);
    const mention = this.env.ctx.mentions.get(expr);
    if (mention !== undefined) this.env.ctx.mentions.set(seen, { ...mention, isTested: true });
    return seen;
  }

  /** Whether the condition is true for any row of the subquery; null if it is for none, and null for some. */
  private someMatch(
    plan: Plan,
    id: number,
    match: Expr,
    tested: readonly Bound[],
    own: readonly Bound[],
    known: boolean,
    sets: boolean,
  ): Expr {
    const matches = this.existsIn(build.filter(plan, match), id);
    const mayBeNull = (b: Bound) => b.kind === "literal" || nullableOf(b.expr);
    // A key is null where a grouping set leaves it out, whatever its column may be.
    const testedMayBeNull = (b: Bound) => sets || mayBeNull(b);
    if (known || !(tested.some(testedMayBeNull) || own.some(mayBeNull))) return matches;
    const unknown: Expr[] = [];
    const again = () => this.again(plan, id);
    if (tested.length > 1) {
      const copy = again();
      const test: Expr = { kind: "isNull", arg: copy.expr(match) };
      unknown.push(this.existsIn(build.filter(copy.plan, test), copy.id));
    } else {
      if (mayBeNull(own[0]!)) {
        const copy = again();
        const value = (own[0] as Bound & { kind: "typed" }).expr;
        unknown.push(this.existsIn(build.filter(copy.plan, { kind: "isNull", arg: value }), copy.id));
      }
      if (testedMayBeNull(tested[0]!)) {
        const copy = again();
        const side = (match.kind === "not" ? match.arg : match) as Expr & { kind: "call" };
        const isNull: Expr = { kind: "isNull", arg: inward(side.args[0]!, id) };
        unknown.push({ kind: "and", args: [isNull, this.existsIn(copy.plan, copy.id)] });
      }
    }
    const none: Expr = { kind: "const", value: null, type: bool };
    return {
      kind: "case",
      branches: [
        branch(matches, build.constant(true, bool)),
        branch(unknown.length === 1 ? unknown[0]! : { kind: "or", args: unknown }, none),
      ],
      otherwise: build.constant(false, bool),
      type: bool,
    };
  }

  /** The same subquery under an id of its own: applied once more. */
  private again(plan: Plan, id: number): { plan: Plan; id: number; expr: (expr: Expr) => Expr } {
    const copy = this.env.ctx.nextApply();
    const expr = (e: Expr): Expr =>
      e.kind === "outer" && e.apply === id ? { ...e, apply: copy } : mapChildren(e, expr);
    const moved = readsOuter(plan, id) ? mapOuter(plan, id, (o) => ({ ...o, apply: copy })) : plan;
    return { plan: moved, id: copy, expr };
  }

  // ---- parts ------------------------------------------------------------------------------------------------------

  private query(select: SelectStmt, place: ExprPlace): { query: BoundQuery; id: number } {
    const { ctx } = this.env;
    const id = ctx.nextApply();
    const query = ctx.inside(this.scope, place, id, () => this.env.bindQuery(select, this.env));
    return { query, id };
  }

  private columns(query: BoundQuery): Expr[] {
    return query.columns.map((c) => build.column(query.plan, c.index));
  }

  /** The column of a new subquery. */
  private add(subquery: Subquery, column = 0): Expr {
    return this.standIn(this.subqueries.push(subquery) - 1, column);
  }

  private standIn(index: number, column: number): Expr {
    const { plan, type } = this.subqueries[index]!;
    const field = plan.schema.fields[column]!;
    const nullable = type === "left" || field.nullable;
    return { kind: "column", index: SUBQUERIES + COLUMNS * index + column, type: field.type, nullable };
  }
}

/** The reverse of outward(). */
function inward(expr: Expr, apply: number): Expr {
  if (expr.kind !== "outer" || expr.apply !== apply)
    return mapChildren(expr, (child) => inward(child, apply));
  const { index, type, nullable } = expr;
  return { kind: "column", index, type, nullable };
}

/** How many rows there are, and the value of one of them. */
function counted(plan: Plan): Plan {
  const field = plan.schema.fields[0]!;
  const value = build.column(plan, 0);
  return build.group(
    plan,
    [],
    [
      { fn: "count", arg: null, type: int8, ...PLAIN },
      { fn: "min", arg: value, type: field.type, ...PLAIN },
    ],
    ["count", field.name],
  );
}

/** The only row's value; an error where there are more, and where somebody asks. */
function onlyRow(count: Expr, value: Expr): Expr {
  const type = typeOf(value);
  const checked: Expr = { kind: "call", fn: "at_most_one_row", args: [count], type: bool };
  return {
    kind: "case",
    branches: [branch(checked, value)],
    otherwise: { kind: "const", value: null, type },
    type,
  };
}

/** EXISTS (SELECT FROM …): nobody looks at its columns, so it may have one. */
function withColumns(select: SelectStmt): SelectStmt {
  const isPlain = select.op === "SETOP_NONE" && select.valuesLists === undefined;
  if (!isPlain || (select.targetList ?? []).length > 0) return select;
  return { ...select, targetList: [{ ResTarget: { val: { A_Const: { ival: { ival: 1 } } } } }] };
}
