/** The rows of a relation, with the columns that it shows and in their order: where circuits have them elsewhere, they are picked out. */
import * as build from "./build.ts";
import type { PlacedColumns } from "./catalog.ts";
import type { Plan } from "./plan.ts";

export function relationPlan(relation: build.SourceRelation & { readonly placed?: PlacedColumns }): Plan {
  const { placed } = relation;
  if (placed === undefined) return build.source(relation);
  const source = build.source({ ...relation, schema: placed.schema, key: placed.key });
  const exprs = placed.columns.map((at) => build.column(source, at));
  return build.project(
    source,
    exprs,
    relation.schema.fields.map((f) => f.name),
  );
}
