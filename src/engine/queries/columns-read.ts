/**
 * Whether the streams that a query reads still have the columns that it was planned with. Tables it reads as they lay when it began; a stream's records are read one after the other,
 * each in the columns that the stream has by then: what has been dropped meanwhile, or has got another type, would be empty in those that come later.
 */
import { EvertError } from "../../base/errors.ts";
import { sourcesOf } from "../../plan/inspect.ts";
import type { Plan } from "../../plan/plan.ts";
import type { EngineCatalog, TopicEntry } from "../catalog/catalog.ts";
import { placedOf } from "../evolution/evolved.ts";

export class ColumnsRead {
  readonly #catalog: EngineCatalog;
  readonly #streams: TopicEntry[] = [];

  /** REQUIRES that the plan was made in this very turn. */
  constructor(catalog: EngineCatalog, plan: Plan) {
    this.#catalog = catalog;
    for (const { id, relation } of sourcesOf(plan)) {
      const entry = relation === "stream" ? catalog.byId(id) : undefined;
      if (entry?.kind === "topic") this.#streams.push(entry);
    }
  }

  /** Why what has been read may lack some of them, or null. Who reads a stream that has gone learns that otherwise. */
  get lost(): EvertError | null {
    for (const before of this.#streams) {
      const now = this.#catalog.byId(before.id);
      if (now?.kind !== "topic" || now.evolved === before.evolved) continue;
      const { columns } = placedOf(now);
      if (placedOf(before).columns.every((column, place) => column < 0 || (columns[place] as number) >= 0))
        continue;
      return new EvertError("conflict", `the columns of "${now.name}" were changed while it was read`, {
        hint: "Ask again.",
      });
    }
    return null;
  }
}
