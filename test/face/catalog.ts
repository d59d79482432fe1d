/** A catalog over handles, as the engine would answer for them: views are compiled to learn their columns. */

import { fieldIndex, type Schema, schemaOf } from "../../src/batch/schema.ts";
import { toQuery } from "../../src/face/compile.ts";
import type { AnyHandle } from "../../src/face/handles.ts";
import { type Chain, type Ordered, view } from "../../src/face/index.ts";
import type { Catalog, CatalogRelation } from "../../src/plan/catalog.ts";
import { explainQuery } from "../../src/plan/explain.ts";
import type { Query } from "../../src/plan/plan.ts";

export function catalogOf(
  handles: readonly AnyHandle[],
  sqlViews: Readonly<Record<string, Schema>> = {},
): Catalog {
  const relations = new Map<string, CatalogRelation>();
  const catalog: Catalog = {
    relation: (name) => relations.get(name),
    relationNames: () => [...relations.keys()],
  };
  handles.forEach((handle, i) => {
    relations.set(handle.name, relationOf(handle, i + 1, catalog, sqlViews));
  });
  return catalog;
}

function relationOf(
  handle: AnyHandle,
  id: number,
  catalog: Catalog,
  sqlViews: Readonly<Record<string, Schema>>,
): CatalogRelation {
  const { name } = handle;
  switch (handle.kind) {
    case "topic":
      return { id, name, kind: "stream", schema: handle.schema, key: null, appendOnly: true, order: [] };
    case "table": {
      const key = handle.key.map((column) => fieldIndex(handle.schema, column));
      return { id, name, kind: "table", schema: handle.schema, key, appendOnly: false, order: [] };
    }
    case "view": {
      const given = sqlViews[name];
      if (given !== undefined)
        return { id, name, kind: "view", schema: given, key: null, appendOnly: false, order: [] };
      const { plan, order, visible } = toQuery(handle, catalog);
      const schema = schemaOf(plan.schema.fields.slice(0, visible));
      return { id, name, kind: "view", schema, key: plan.key, appendOnly: plan.appendOnly, order };
    }
  }
}

/** The query of a chain over these handles. */
export function queryOf(chain: Chain<never> | Ordered<never>, handles: readonly AnyHandle[]): Query {
  return toQuery(view("v", chain), catalogOf(handles));
}

/** Its plan as EXPLAIN prints it, then its columns. */
export function explained(chain: Chain<never> | Ordered<never>, handles: readonly AnyHandle[]): string {
  const query = queryOf(chain, handles);
  const columns = query.plan.schema.fields.map((f) => `${f.name} ${f.type.name}${f.nullable ? "?" : ""}`);
  return `\n${[...explainQuery(query), `(${columns.slice(0, query.visible).join(", ")})`].join("\n")}\n`;
}
