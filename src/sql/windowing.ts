/**
 * The window functions of one SELECT: collected while expressions are bound, computed over its rows (or groups) before the select list.
 *
 * Functions of equal partition and order share a plan node; the nodes stand on one another, in the order in which they are first named. What a window
 * is partitioned or ordered by becomes a column beneath it.
 */
import type { Node } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { aggregateKey, exprKey } from "../plan/fingerprint.ts";
import { aggregateExprs, mapAggregate, mapChildren } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import type { BindContext } from "./context.ts";
import type { ExprPlace, NamedWindow, WindowCall, WindowSink } from "./place.ts";
import { isWindow, WINDOWS } from "./stand-ins.ts";
import { as } from "./tree.ts";
import { bindDefinition } from "./window-definition.ts";

export class Windows implements WindowSink {
  private readonly clause: readonly Node[];
  private readonly calls: WindowCall[] = [];
  private readonly callAt = new Map<string, number>();
  /** Where a name stands in the clause. */
  private readonly at = new Map<string, number>();

  constructor(clause: readonly Node[], ctx: BindContext) {
    this.clause = clause;
    for (const [i, node] of clause.entries()) {
      const { name, location } = as(node, "WindowDef")!;
      if (this.at.has(name!)) {
        throw new EvertError("grouping_error", `window "${name}" is already defined`, {
          position: ctx.position(location),
          sqlstate: "42P20",
        });
      }
      this.at.set(name!, i);
    }
  }

  get hasCalls(): boolean {
    return this.calls.length > 0;
  }

  add(call: WindowCall): Expr {
    const key = callKey(call);
    let index = this.callAt.get(key);
    if (index === undefined) this.callAt.set(key, (index = this.calls.push(call) - 1));
    return { kind: "column", index: WINDOWS + index, type: call.type, nullable: true };
  }

  named(name: string, count: number = this.clause.length): NamedWindow | undefined {
    const at = this.at.get(name);
    if (at === undefined || at >= count) return undefined;
    return {
      definition: as(this.clause[at], "WindowDef")!,
      before: { named: (other) => this.named(other, at) },
    };
  }

  /** What the windows of the WINDOW clause are made of, used or not. @throws EvertError of what is wrong with one. */
  defined(place: ExprPlace): Expr[] {
    return this.clause.flatMap((node, i) => {
      const { name: _, ...definition } = as(node, "WindowDef")!;
      const { partition, order } = bindDefinition(
        definition,
        { named: (name) => this.named(name, i) },
        place,
      );
      return [...partition, ...order.map((key) => key.expr)];
    });
  }

  /** Everything that is evaluated before the windows are computed. */
  exprs(): Expr[] {
    return this.calls.flatMap((c) => [
      ...c.partition,
      ...c.order.map((s) => s.expr),
      ...c.args,
      ...(c.aggregate === null ? [] : aggregateExprs(c.aggregate)),
    ]);
  }

  /** The windows over `input`, and what makes an expression one over them. `over`: of expressions over the input. */
  finish(input: Plan, over: (expr: Expr) => Expr): { plan: Plan; over: (expr: Expr) => Expr } {
    const at = new Map<number, number>();
    let plan = input;
    for (const calls of this.byWindow()) {
      const { partition, order } = this.calls[calls[0]!]!;
      const columns = new Columns(plan);
      const spec = {
        partition: partition.map((e) => columns.of(over(e))),
        order: order.map(({ expr, descending, nullsFirst }) => ({
          column: columns.of(over(expr)),
          descending,
          nullsFirst,
        })),
        functions: calls.map((i) => {
          const { fn, args, aggregate, frame, type } = this.calls[i]!;
          return {
            fn,
            args: args.map(over),
            aggregate: aggregate === null ? null : mapAggregate(aggregate, over),
            frame,
            type,
          };
        }),
      };
      const below = columns.plan();
      for (const [i, call] of calls.entries()) at.set(WINDOWS + call, below.schema.fields.length + i);
      const names = calls.map((i) => this.calls[i]!.aggregate?.fn ?? this.calls[i]!.fn);
      plan = build.window(below, spec, names);
    }
    const made = plan;
    const placed = (expr: Expr): Expr => {
      if (expr.kind !== "column") return mapChildren(expr, placed);
      return isWindow(expr) ? build.column(made, at.get(expr.index)!) : expr;
    };
    return { plan, over: (expr) => placed(over(expr)) };
  }

  /** Numbers of the calls, those of one window together. */
  private byWindow(): number[][] {
    const groups = new Map<string, number[]>();
    this.calls.forEach((call, i) => {
      const key = windowKey(call);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [i]);
      else group.push(i);
    });
    return [...groups.values()];
  }
}

function windowKey({ partition, order }: WindowCall): string {
  const sorted = order.map((s) => [exprKey(s.expr), s.descending, s.nullsFirst]);
  return JSON.stringify([partition.map(exprKey), sorted]);
}

/** Equal for calls of equal value. */
function callKey(call: WindowCall): string {
  const { fn, args, aggregate, frame } = call;
  const bounds = [frame.start, frame.end].map((b) =>
    "offset" in b ? [b.kind, exprKey(b.offset)] : [b.kind],
  );
  return JSON.stringify([
    fn,
    args.map(exprKey),
    aggregate === null ? null : aggregateKey(aggregate),
    frame.mode,
    bounds,
    frame.exclude,
    windowKey(call),
  ]);
}

/** A plan with further columns. */
class Columns {
  private readonly input: Plan;
  private readonly added: Expr[] = [];

  constructor(input: Plan) {
    this.input = input;
  }

  of(expr: Expr): number {
    if (expr.kind === "column") return expr.index;
    const key = exprKey(expr);
    const known = this.added.findIndex((e) => exprKey(e) === key);
    const width = this.input.schema.fields.length;
    return width + (known >= 0 ? known : this.added.push(expr) - 1);
  }

  plan(): Plan {
    if (this.added.length === 0) return this.input;
    const own = this.input.schema.fields.map((_, i) => build.column(this.input, i));
    const names = [...this.input.schema.fields.map((f) => f.name), ...this.added.map(() => "?column?")];
    return build.project(this.input, [...own, ...this.added], names);
  }
}
