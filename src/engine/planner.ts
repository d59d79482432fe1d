/** From a view's definition, in SQL or in TypeScript, to its query: the place where both faces become the same plan. */
import { EvertError } from "../base/errors.ts";
import { toQuery } from "../face/compile.ts";
import type { AnyView } from "../face/handles.ts";
import { checkRowType } from "../face/row-type.ts";
import type { Catalog } from "../plan/catalog.ts";
import { queryKey } from "../plan/fingerprint.ts";
import { optimizeQuery } from "../plan/optimize.ts";
import type { OptimizedQuery, Query } from "../plan/plan.ts";
import { checkOperators } from "../plan/refused.ts";
import { bindView } from "../sql/statement.ts";
import type { EngineCatalog, ViewEntry } from "./catalog/catalog.ts";
import { STATE_FORMAT } from "./checkpoint/checkpointing.ts";

/** What views are planned against. */
type ViewCatalog = Catalog & Pick<EngineCatalog, "within">;

/** The catalog as it was when the view was made, as far as its names mean other columns since and as far as rows are counted. */
function asCounted(now: ViewCatalog, entry: ViewEntry): Catalog {
  const { rows } = entry;
  const catalog = now.within(entry);
  return {
    relation: (name) => {
      const relation = catalog.relation(name);
      return relation === undefined ? undefined : { ...relation, rows: rows?.[relation.id] };
    },
    relationNames: () => catalog.relationNames(),
    type: (name) => catalog.type?.(name),
    routine: (name) => catalog.routine?.(name),
    inlineView: (name) => catalog.inlineView?.(name),
    constant: catalog.constant,
    inside: (name) => catalog.inside?.(name) ?? catalog,
  };
}

/** @throws EvertError when it does not bind, when no operator does what it asks for, or when its code is not loaded. */
export function planView(
  entry: ViewEntry,
  now: ViewCatalog,
  handles: ReadonlyMap<string, AnyView>,
): OptimizedQuery {
  const query = plannedQuery(entry, asCounted(now, entry), handles);
  checkOperators(query.plan);
  return query;
}

function plannedQuery(
  entry: ViewEntry,
  catalog: Catalog,
  handles: ReadonlyMap<string, AnyView>,
): OptimizedQuery {
  if (entry.sql !== null) return bound(entry.sql, entry, catalog);
  const handle = handles.get(entry.name);
  if (handle === undefined || handle.definition.kind !== "chain") {
    throw new EvertError(
      "view_failed",
      `view "${entry.name}" is defined in TypeScript and its code is not loaded`,
      {
        hint: "Start with the app that defines it, or drop it.",
      },
    );
  }
  return optimizeQuery(toQuery(handle, catalog), catalog.constant);
}

/** What a view calls may have been a function of the program, which is given anew with each start. */
function bound(sql: string, { name, columns, params }: ViewEntry, catalog: Catalog): OptimizedQuery {
  try {
    return bindView(sql, columns, catalog, params);
  } catch (thrown) {
    if (!(thrown instanceof EvertError) || thrown.code !== "undefined_function") throw thrown;
    const { message, detail, position } = thrown;
    throw new EvertError(thrown.code, `view "${name}": ${message}`, {
      detail,
      hint: "If it is a function of the program, give it again: open({ functions }), or export it from the app. Otherwise drop the view.",
      position,
      cause: thrown,
    });
  }
}

/** The catalog entry a handle stands for. `pinned`: the versions of views that it read before. */
export function viewEntryOf(
  id: number,
  handle: AnyView,
  catalog: ViewCatalog,
  pinned?: ViewEntry["pinned"],
): ViewEntry {
  const { definition, options } = handle;
  const draft: ViewEntry = {
    kind: "view",
    id,
    name: handle.name,
    sql: definition.kind === "sql" ? definition.text : null,
    params:
      definition.kind === "sql" ? definition.params.map((p) => (typeof p === "bigint" ? String(p) : p)) : [],
    columns: null,
    materialized: true,
    onError: options.onError ?? "fail",
    version: options.version ?? null,
    fingerprint: "",
    ...(pinned === undefined ? {} : { pinned }),
  };
  const query = planView(draft, catalog, new Map([[handle.name, handle]]));
  checkRowType(handle, query.plan.schema.fields.slice(0, query.visible));
  return { ...draft, fingerprint: fingerprintOf(query, draft) };
}

/** What made a view's rows: the plan with its functions and schemas, what it does with errors, its version, the engine's format. */
export function fingerprintOf(query: Query, entry: Pick<ViewEntry, "onError" | "version">): string {
  return digest(JSON.stringify([STATE_FORMAT, queryKey(query), entry.onError, entry.version]));
}

/** Four 32-bit FNV-1a lanes: tells apart what people write; nothing here must resist an attacker. */
function digest(text: string): string {
  const lanes = new Uint32Array([0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35]);
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    for (let lane = 0; lane < 4; lane++)
      lanes[lane] = Math.imul((lanes[lane] as number) ^ (c + lane * i), 0x01000193);
  }
  return [...lanes].map((l) => l.toString(16).padStart(8, "0")).join("");
}
