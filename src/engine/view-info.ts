/** What the API says of a view: its state, its figures, its operators. */
import { type OperatorStats, sumOf } from "../dataflow/operator-stats.ts";
import type { OperatorInfo, ViewInfo } from "./api.ts";
import type { LiveView, LiveViews } from "./live-views.ts";

/** As infoOf(), with its operators. */
export function detailedInfoOf(
  views: LiveViews,
  live: LiveView,
  position: number,
  lastPosition: number,
): ViewInfo {
  const operators = live.node?.operators() ?? [];
  return {
    ...infoOf(views, live, position, lastPosition, operators),
    operators: operators.map(operatorInfo),
  };
}

export function infoOf(
  views: LiveViews,
  live: LiveView,
  position: number,
  lastPosition: number,
  operators: readonly OperatorStats[] = live.node?.operators() ?? [],
): ViewInfo {
  const { entry, node, query, filling } = live;
  const done = sumOf(operators);
  const stale = views.staleRows(live);
  const view = stale?.view ?? live.view;
  const reflected = stale?.position ?? position;
  const error = views.errorOf(live);
  const skips = entry.onError === "skip";
  const errors = node?.errorCount ?? 0;
  const info: ViewInfo = {
    name: entry.name,
    status: stale !== null ? "stale" : filling !== null ? "building" : error !== null ? "failed" : "live",
    schema: { fields: view?.fields ?? query?.plan.schema.fields.slice(0, query.visible) ?? [] },
    key: view?.keyColumns?.map((c) => view.fields[c]!.name) ?? null,
    order: view?.order ?? query?.order ?? [],
    rows: (stale?.view.store ?? node?.store)?.live ?? 0,
    stateBytes: done.bytes + (live.stale?.view.store.bytes ?? 0),
    rowsIn: done.rowsIn,
    rowsOut: done.rowsOut,
    stepSeconds: done.ms / 1000,
    position: String(reflected),
    lag: lastPosition - reflected,
    progress: filling?.progress ?? 1,
    errors: skips ? 0 : errors,
    skipped: skips ? errors : 0,
    definition: views.definitionOf(live),
  };
  return error === null ? info : { ...info, error: error.toJSON() };
}

function operatorInfo({ rowsKept, bytes, ms, taken: _, ...rest }: OperatorStats): OperatorInfo {
  const none = rest.role === "source" ? { rowsIn: 0, rowsOut: 0, steps: 0 } : {};
  const seconds = rest.role === "source" ? 0 : ms / 1000;
  return { ...rest, ...none, rows: rowsKept, stateBytes: bytes, seconds };
}
