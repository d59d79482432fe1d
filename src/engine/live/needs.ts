/**
 * Which views still depend on a topic's history (docs/decisions/0044-keeping.md).
 *
 * A view depends on a record if, made anew from the log, it would answer otherwise without it.
 *
 * - Of a stream it depends on every record, but for those that it cannot show any more: outside the ranges of a filter in which nothing can fail, or
 *   over, by a condition on now(), at the log's time.
 * - Of a table it depends on the last record of each key alone, unless it asks for rows as they were (an as-of join).
 *
 * A view that cannot be planned now (its code is not loaded) depends on everything it reads.
 */
import { intervalSpan, parseInterval } from "../../batch/format/interval.ts";
import type { Need } from "../../log/keeping/rules.ts";
import type { ColumnRange } from "../../log/log.ts";
import type { Expr } from "../../plan/expression.ts";
import { inputsOf, isFallible, nodesOf, sourceIds, substitute } from "../../plan/inspect.ts";
import type { Plan } from "../../plan/plan.ts";
import { relationNames } from "../../sql/statement.ts";
import { filterRanges } from "../builds/ranges.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { Core } from "../core.ts";
import { rangesAt } from "../evolution/evolved.ts";
import type { LiveView } from "./live-views.ts";

/** Who needs records of the stream, and which. */
export function needsOfStream(core: Core, topic: TopicEntry): Need[] {
  const nowUs = core.stepper.timeUs;
  return [...core.views.all()].flatMap((live) => {
    const { name } = live.entry;
    if (live.query === null) return mayRead(live, topic) ? [{ name, ranges: [] }] : [];
    return readsOf(live.query.plan, topic.id, nowUs).map((ranges) => ({
      name,
      ranges: rangesAt(topic, ranges),
    }));
  });
}

/** Names of the views that ask for rows of the table as they were. */
export function readersOfThePast(core: Core, table: TopicEntry): string[] {
  return [...core.views.all()].flatMap((live) => {
    if (live.query === null) return mayRead(live, table) ? [live.entry.name] : [];
    const isAsked = nodesOf(live.query.plan).some(
      (node) => node.kind === "asOfJoin" && sourceIds(node.right).has(table.id),
    );
    return isAsked ? [live.entry.name] : [];
  });
}

/** A plain view is written out where it is named. What a program's code reads that is not there nobody knows. */
function mayRead({ entry }: LiveView, topic: TopicEntry): boolean {
  if (!entry.materialized) return false;
  return entry.sql === null || relationNames(entry.sql).has(topic.name);
}

/** For each place where the plan reads the stream: the ranges that all rows lie in that matter. */
function readsOf(plan: Plan, id: number, nowUs: number): (readonly ColumnRange[])[] {
  const ranges = boundedRead(plan, id, nowUs);
  return ranges === null ? inputsOf(plan).flatMap((input) => readsOf(input, id, nowUs)) : [ranges];
}

/** The plan as a read of the stream below filters, conditions on now() and moved columns; null: it is anything else. */
function boundedRead(plan: Plan, id: number, nowUs: number): readonly ColumnRange[] | null {
  /** Of the nodes passed, over the columns of the node looked at. */
  let predicates: Expr[] = [];
  let ends: Expr[] = [];
  let node = plan;
  for (;;) {
    if (node.kind === "filter") {
      predicates.push(node.predicate);
      node = node.input;
    } else if (node.kind === "temporal") {
      if (node.from !== null && isFallible(node.from)) return null;
      if (node.until !== null) ends.push(node.until);
      node = node.input;
    } else if (node.kind === "project") {
      const { exprs } = node;
      if (exprs.some(isFallible)) return null;
      predicates = predicates.map((p) => substitute(p, (column) => exprs[column.index]!));
      ends = ends.map((e) => substitute(e, (column) => exprs[column.index]!));
      node = node.input;
    } else break;
  }
  if (node.kind !== "source" || node.id !== id) return null;
  // What fails must be met by a view made anew as it was met when it came.
  if ([...predicates, ...ends].some(isFallible)) return [];
  return [...filterRanges(predicates), ...ends.flatMap((end) => notOver(end, nowUs))];
}

/** Rows whose end is yet to come: nothing where it is not a column's time, moved by a fixed span. */
function notOver(end: Expr, nowUs: number): ColumnRange[] {
  let time = end;
  let laterUs = 0;
  if (time.kind === "call" && time.fn === "timestamptz_bound") {
    const by = time.args[1]!;
    if (by.kind !== "const" || typeof by.value !== "string") return [];
    laterUs = Number(intervalSpan(parseInterval(by.value)));
    time = time.args[0]!;
  }
  if (time.kind === "call" && time.fn === "timestamp_to_timestamptz") time = time.args[0]!;
  return time.kind === "column" ? [{ column: time.index, min: nowUs - laterUs }] : [];
}
