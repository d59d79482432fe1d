/** What binding a statement needs to know, and what it finds out on the way. */
import { EvertError } from "../base/errors.ts";
import { checkText } from "../batch/jsonb.ts";
import type { SqlType } from "../batch/types.ts";
import type { Catalog } from "../plan/catalog.ts";
import type { Expr } from "../plan/expression.ts";
import { sameKind, sqlTypeName } from "../plan/functions.ts";
import { nodesOf, sizeOf } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import type { OuterScope, Scope, StandingPlace } from "./scope.ts";
import type { SourceText } from "./source-text.ts";

/** The value of $n: text as PostgreSQL's input functions read it, or null. Without a type, its first use decides. */
export interface SqlParam {
  readonly type: SqlType | null;
  readonly text: string | null;
}

/** A parameter given as a JSON value: the index-th of the statement's. @throws untranslatable_character */
export function paramFromJson(value: unknown, index: number): SqlParam {
  if (value === null || value === undefined) return { type: null, text: null };
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  checkText(text, `$${index + 1}`);
  return { type: null, text };
}

export const PARAMS_MAX = 65_535;
export const COLUMNS_MAX = 1600;
/** Nodes of a plan, counted as a tree: a WITH query that is used n times counts n times. */
const PLAN_NODES_MAX = 5000;
/** Columns of all nodes of a plan that is ready to run: code is written for each, before the event loop has its turn again. */
const PLAN_COLUMNS_MAX = 40_000;
/** Nodes of an expression beyond what its text explains. */
const EXPR_NODES_MAX = 8192;
/** Each becomes a join. */
const APPLIES_MAX = 512;
/** Levels of an expression or of nested queries: what every walk over a plan can do on the stack with room to spare. */
const DEPTH_MAX = 500;

/** now() of a statement that runs once, and whether it depends on it. */
export class StatementTime {
  /** Whether somebody has asked for it. */
  isAsked = false;
  readonly #us: bigint;

  /** `us`: microseconds since 1970. */
  constructor(us: bigint) {
    this.#us = us;
  }

  get us(): bigint {
    this.isAsked = true;
    return this.#us;
  }
}

export interface Mention {
  readonly name: string;
  readonly position: number | undefined;
  /** It is what IN, ANY or ALL asks about: the subquery sees it, but it is named beside it. */
  readonly isTested?: true;
}

export class BindContext {
  readonly catalog: Catalog;
  readonly source: SourceText;
  /** now() of the statement; null where there is none, as in a view. */
  readonly time: StatementTime | null;
  /** What 'today' means in a literal; null where it has no meaning. */
  literalClock: StatementTime | null;
  /** What the statement defines, if it does: functions that change with time have no place in it. */
  readonly defines: string | null;
  /** Where a column expression was named, and what it is called: for messages that come later than its binding. */
  readonly mentions = new WeakMap<Expr, Mention>();
  /** Of `row IS NULL`, which asks the fields one by one: of which row, and the same asked of another form of it. */
  readonly rowTests = new WeakMap<Expr, { readonly row: Expr; readonly of: (row: Expr) => Expr }>();
  /** What can be named from outside the query that is being bound, innermost first. */
  outer: OuterScope | null = null;
  /** What stands left in the same FROM, which only LATERAL items see. */
  private lateral: OuterScope | null = null;
  private readonly params: readonly SqlParam[];
  private readonly paramTypes: (SqlType | null)[];
  private depth = 0;
  private applies = 0;

  constructor(options: {
    catalog: Catalog;
    source: SourceText;
    params: readonly SqlParam[];
    time: StatementTime | null;
    defines: string | null;
  }) {
    this.catalog = options.catalog;
    this.source = options.source;
    this.params = options.params;
    this.paramTypes = options.params.map((p) => p.type);
    this.time = options.time;
    this.literalClock = options.defines === null ? options.time : null;
    this.defines = options.defines;
  }

  /**
   * The same for a text of its own, such as the definition of an inlined view: it has no parameters. What is written out in a query that
   * runs once has that query's now().
   */
  within(source: SourceText, defines: string, catalog: Catalog = this.catalog): BindContext {
    const inner = new BindContext({
      catalog,
      source,
      params: [],
      time: this.time,
      defines: this.defines === null ? null : defines,
    });
    inner.depth = this.depth + 1;
    return inner;
  }

  /** 1-based character of a place in the tree. */
  position(location: number | undefined): number | undefined {
    return this.source.position(location);
  }

  param(number: number, position: number | undefined): SqlParam {
    const param = this.params[number - 1];
    if (param === undefined) {
      throw new EvertError("undefined_object", `there is no parameter $${number}`, {
        sqlstate: "42P02",
        position,
        detail: `${this.params.length} ${this.params.length === 1 ? "parameter was" : "parameters were"} given.`,
      });
    }
    return { type: this.paramTypes[number - 1] ?? null, text: param.text };
  }

  /** The first use of a parameter gives it its type. */
  fixParam(number: number, type: SqlType, position: number | undefined): void {
    const before = (this.paramTypes[number - 1] ??= type);
    if (sameKind(before, type)) return;
    throw new EvertError("datatype_mismatch", `inconsistent types deduced for parameter $${number}`, {
      sqlstate: "42P08",
      detail: `${sqlTypeName(before)} versus ${sqlTypeName(type)}`,
      position,
    });
  }

  /** An id for one more apply. */
  nextApply(): number {
    if (++this.applies > APPLIES_MAX) {
      throw new EvertError("statement_too_complex", "query is too large", {
        detail: `A query may have ${APPLIES_MAX} subqueries and functions in FROM.`,
      });
    }
    return this.applies;
  }

  /** Runs `work` where the scope's names can be seen from inside apply `id`: in a subquery, and in what it contains. */
  inside<T>(scope: Scope, stands: StandingPlace, id: number, work: () => T): T {
    return this.seeing({ scope, apply: id, outer: this.outer, stands }, null, work);
  }

  /** Runs `work` where the scope stands left in the same FROM: LATERAL sees it, an ordinary subquery does not. */
  beside<T>(left: Scope, id: number, work: () => T): T {
    const outer = this.lateral ?? this.outer;
    return this.seeing(this.outer, { scope: left, apply: id, outer, stands: null }, work);
  }

  /** Runs `work` for a subquery in FROM: with what stands left of it, or only with what surrounds the query. */
  apart<T>(lateral: boolean, work: () => T): T {
    return this.seeing(lateral ? (this.lateral ?? this.outer) : this.outer, null, work);
  }

  private seeing<T>(outer: OuterScope | null, lateral: OuterScope | null, work: () => T): T {
    const before = { outer: this.outer, lateral: this.lateral };
    this.outer = outer;
    this.lateral = lateral;
    try {
      return work();
    } finally {
      this.outer = before.outer;
      this.lateral = before.lateral;
    }
  }

  /** What is written in terms of itself, as NULLIF and BETWEEN SYMMETRIC are, doubles with each level of nesting. */
  checkSize(expr: Expr, location: number | undefined): void {
    if (sizeOf(expr) <= EXPR_NODES_MAX + 2 * this.source.text.length) return;
    throw new EvertError("statement_too_complex", "expression is too large", {
      position: this.position(location),
      detail:
        "Written out in simple operations it has many more than characters: what NULLIF, BETWEEN, IN and comparisons of rows are given stands in them several times.",
      hint: "Compute the inner expression in a subquery, and name its column.",
    });
  }

  /** Runs `work` one level deeper. */
  deeper<T>(work: () => T): T {
    if (this.depth >= DEPTH_MAX) {
      throw new EvertError("statement_too_complex", "statement is nested too deeply", {
        detail: `Expressions and queries may be nested ${DEPTH_MAX} levels deep.`,
      });
    }
    this.depth++;
    try {
      return work();
    } finally {
      this.depth--;
    }
  }
}

export function checkColumnCount(count: number): void {
  if (count <= COLUMNS_MAX) return;
  throw new EvertError("too_many_columns", `target lists can have at most ${COLUMNS_MAX} entries`);
}

export function checkPlanSize(plan: Plan, inputsOf: (plan: Plan) => readonly Plan[]): void {
  const counts = new Map<Plan, number>();
  const countOf = (p: Plan): number => {
    const known = counts.get(p);
    if (known !== undefined) return known;
    const count = inputsOf(p).reduce((sum, input) => sum + countOf(input), 1);
    counts.set(p, count);
    return count;
  };
  if (countOf(plan) > PLAN_NODES_MAX) {
    throw new EvertError("statement_too_complex", "query is too large", {
      detail: `Written out it has more than ${PLAN_NODES_MAX} joins, filters and other steps; a WITH query or a view counts each time it is used.`,
    });
  }
}

/** Of a plan that has been optimized: before, a join of wide tables has many columns that nobody reads. */
export function checkPlanColumns(plan: Plan): void {
  let columns = 0;
  for (const node of nodesOf(plan)) columns += node.schema.fields.length;
  if (columns <= PLAN_COLUMNS_MAX) return;
  throw new EvertError("statement_too_complex", "query is too large", {
    detail: `Its joins, groups and other steps pass on more than ${PLAN_COLUMNS_MAX} columns in all. Each grouping set is a step of its own, and a subquery in SELECT or WHERE is a join.`,
    hint: "Split it into views that read each other, or into several queries.",
  });
}
