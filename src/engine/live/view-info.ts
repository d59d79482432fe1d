/** What the API says of a view: its state, its figures, its operators. */
import { type OperatorStats, sumOf } from "../../dataflow/operator-stats.ts";
import type { OperatorInfo, ViewInfo, ViewStatus } from "../api.ts";
import type { Core } from "../core.ts";
import type { LiveView } from "./live-views.ts";

/** As infoOf(), with its operators. */
export function detailedInfoOf(core: Core, live: LiveView): ViewInfo {
  const operators = live.node?.operators() ?? [];
  return { ...infoOf(core, live, operators), operators: operators.map(operatorInfo) };
}

export function infoOf(
  { views, publisher, log, catchUp, sinks }: Core,
  live: LiveView,
  operators: readonly OperatorStats[] = live.node?.operators() ?? [],
): ViewInfo {
  const { entry, node, query, filling } = live;
  const done = sumOf(operators);
  const stale = views.staleRows(live);
  const view = stale?.view ?? live.view;
  const reflected = stale?.position ?? publisher.published.position;
  const error = views.errorOf(live);
  const skips = entry.onError === "skip";
  const errors = views.errorCountOf(live);
  const info: ViewInfo = {
    name: entry.name,
    status: statusOf(stale !== null, filling !== null, error !== null, catchUp !== null),
    schema: { fields: view?.fields ?? query?.plan.schema.fields.slice(0, query.visible) ?? [] },
    key: view?.keyColumns?.map((c) => view.fields[c]!.name) ?? null,
    order: view?.order ?? query?.order ?? [],
    rows: (stale?.view.store ?? node?.store)?.live ?? 0,
    stateBytes: done.bytes + (live.stale?.view.store.bytes ?? 0),
    coldBytes: done.coldBytes + (live.stale?.view.store.coldBytes ?? 0),
    rowsIn: done.rowsIn,
    rowsOut: done.rowsOut,
    stepSeconds: done.ms / 1000,
    position: String(reflected),
    lag: log.lastPosition - reflected,
    progress: filling?.progress ?? catchUp?.progress ?? 1,
    errors: skips ? 0 : errors,
    skipped: skips ? errors : 0,
    definition: views.definitionOf(live),
  };
  const refused = sinks.errorOf(entry.id);
  return {
    ...info,
    ...(error === null ? {} : { error: error.toJSON() }),
    ...(refused === null ? {} : { sinkError: refused.toJSON() }),
  };
}

function statusOf(isStale: boolean, isBuilding: boolean, hasFailed: boolean, isBehind: boolean): ViewStatus {
  if (isStale) return "stale";
  if (isBuilding) return "building";
  if (hasFailed) return "failed";
  return isBehind ? "catching_up" : "live";
}

function operatorInfo({ rowsKept, bytes, ms, taken: _, ...rest }: OperatorStats): OperatorInfo {
  const none = rest.role === "source" ? { rowsIn: 0, rowsOut: 0, steps: 0 } : {};
  const seconds = rest.role === "source" ? 0 : ms / 1000;
  return { ...rest, ...none, rows: rowsKept, stateBytes: bytes, seconds };
}
