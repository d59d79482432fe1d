/**
 * Whether the streams that a query reads still have the columns that it was planned with. Tables it reads as they lay when it began; a stream's
 * records are read one after the other, each in the columns that the stream has by then: what has been dropped meanwhile, or has got another type,
 * would be empty in those that come later.
 */
import { EvertError } from "../../base/errors.ts";
import { sourcesOf } from "../../plan/inspect.ts";
import type { Plan, Query } from "../../plan/plan.ts";
import type { EngineCatalog, TopicEntry } from "../catalog/catalog.ts";
import { placedOf } from "../evolution/evolved.ts";
import type { QueryContext } from "./query-context.ts";

/** How often a query is run because streams have other columns than when it was planned. */
const READS_MAX = 10;

export interface ReadOptions<Read, Result> {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** Plans it anew. */
  readonly again: () => object;
  readonly run: (now: Read) => Promise<Result>;
  /** The result is not taken. */
  readonly leave?: (result: Result) => void;
}

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

/** Runs it, and plans and runs it again where a stream that it reads has lost columns meanwhile. REQUIRES that it was planned in this very turn. */
export async function withItsColumns<Read extends { readonly query: Query }, Result>(
  { catalog, publisher: { moments } }: QueryContext,
  read: Read,
  { signal, timeoutMs, again, run, leave = () => {} }: ReadOptions<Read, Result>,
): Promise<Result> {
  for (let attempt = 1, now = read; ; attempt++, now = again() as Read) {
    const columns = new ColumnsRead(catalog, now.query.plan);
    const outcome = await run(now).then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    const { lost } = columns;
    if (lost === null) {
      if ("error" in outcome) throw outcome.error;
      return outcome.result;
    }
    if ("result" in outcome) leave(outcome.result);
    if (attempt === READS_MAX) throw lost;
    signal?.throwIfAborted();
    while (!moments.isWhole) await moments.wait(timeoutMs);
  }
}
