/** A catalog in memory, filled by statements: what binding is tested against. */
import type { SqlType } from "../../src/batch/types.ts";
import type { Catalog, CatalogRelation } from "../../src/plan/catalog.ts";
import { bindStatement, parseStatements, type Statement } from "../../src/sql/statement.ts";

export class TestCatalog implements Catalog {
  private readonly relations = new Map<string, CatalogRelation>();
  private readonly inlined = new Map<string, string>();
  private readonly types = new Map<string, SqlType>();

  relation(name: string): CatalogRelation | undefined {
    return this.relations.get(name);
  }

  type(name: string): SqlType | undefined {
    return this.types.get(name);
  }

  relationNames(): readonly string[] {
    return [...this.relations.keys()];
  }

  inlineView(name: string): string | undefined {
    return this.inlined.get(name);
  }

  /** What a CREATE defines; other statements change nothing. */
  define(statement: Statement): void {
    if (statement.kind === "createTable") {
      const { name, schema, key, appendOnly, defaults, defaultTexts } = statement;
      const kind = appendOnly ? "stream" : "table";
      this.add(name, { kind, schema, key, appendOnly, order: [], defaults, defaultTexts });
    } else if (statement.kind === "createType") {
      this.types.set(statement.name, statement.type);
    } else if (statement.kind === "createView") {
      const { name, query, materialized, text } = statement;
      const { schema, appendOnly } = query.plan;
      const fields = schema.fields.slice(0, query.visible);
      const key = query.plan.key?.every((k) => k < query.visible) ? query.plan.key : null;
      this.add(name, { kind: "view", schema: { fields }, key, appendOnly, order: [] });
      if (!materialized) this.inlined.set(name, text);
    }
  }

  private add(name: string, relation: Omit<CatalogRelation, "id" | "name">): void {
    this.relations.set(name, { id: this.relations.size + 1, name, ...relation });
  }
}

/** A catalog as these statements leave it. */
export function catalogOf(sql: string): TestCatalog {
  const catalog = new TestCatalog();
  for (const parsed of parseStatements(sql)) catalog.define(bindStatement(parsed, catalog));
  return catalog;
}
