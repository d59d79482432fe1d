/**
 * A query within a transaction: over the newest state and what the transaction has changed so far.
 *
 * The changes are put into the plan. A changed topic becomes its rows without those of changed keys, and the new rows beside them; a
 * materialized view that reads one is replaced by its own query over that. So a SELECT between BEGIN and COMMIT runs like any other, and
 * what the transaction has not touched is read from where it lies.
 *
 * What is named several times is made once: the plan becomes a graph, and equal parts of it are worked off once. A view that skips errors is answered
 * by itself, because its errors are nobody else's, and its rows are put in its place.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { EvertError, notSupported } from "../../base/errors.ts";
import { emptyDatum } from "../../batch/constant-column.ts";
import type { Datum } from "../../batch/convert.ts";
import type { Field } from "../../batch/schema.ts";
import { bool } from "../../batch/types.ts";
import * as build from "../../plan/build.ts";
import { nameOnce } from "../../plan/fingerprint.ts";
import { inputsOf } from "../../plan/inspect.ts";
import { withInputs } from "../../plan/nodes.ts";
import type { Plan, Query, SourcePlan } from "../../plan/plan.ts";
import { placedOf } from "../evolution/evolved.ts";
import type { TopicChanges } from "../write/changes.ts";

type Rows = readonly (readonly Datum[])[];

export interface OverlayOptions {
  /** By topic id; only topics that changed. */
  readonly changes: ReadonlyMap<number, TopicChanges>;
  /** The query of a view by id. @throws EvertError where its code is not loaded. */
  readonly queryOf: (viewId: number) => Query;
  /** Whether a view leaves out rows that fail. */
  readonly skipsErrors: (viewId: number) => boolean;
  /** Runs a query, and leaves out rows that fail. */
  readonly skipping: (query: Query) => Promise<Rows>;
}

/** Rows put into a plan at once: each is looked at when the plan is made. */
const ROWS_PER_PART = 4096;

export class Overlay {
  readonly #options: OverlayOptions;
  readonly #plans = new Map<number, Plan>();
  readonly #reads = new Map<number, boolean>();

  constructor(options: OverlayOptions) {
    this.#options = options;
  }

  async over(query: Query): Promise<Query> {
    return { ...query, plan: await this.#over(query.plan) };
  }

  async #over(plan: Plan): Promise<Plan> {
    if (plan.kind === "asOfJoin") {
      // What a record met at its own commit no change of the table alters.
      if (!this.#isChanged(plan.left)) return plan;
      throw notSupported(
        "reading an as-of join of records that the same transaction has appended",
        undefined,
        "A record meets the table as of its own commit: read it after COMMIT.",
      );
    }
    if (plan.kind === "source") return this.#isChanged(plan) ? this.#source(plan) : plan;
    const inputs: Plan[] = [];
    for (const input of inputsOf(plan)) inputs.push(await this.#over(input));
    return withInputs(plan, inputs);
  }

  async #source(source: SourcePlan): Promise<Plan> {
    // With its hidden row ids a table is another relation.
    const id = source.id * 2 + (source.key === null ? 0 : 1);
    const known = this.#plans.get(id);
    if (known !== undefined) return known;
    const plan =
      source.relation === "view"
        ? await this.#view(source.id)
        : await changed(source, this.#options.changes.get(source.id) as TopicChanges);
    this.#plans.set(id, plan);
    return plan;
  }

  async #view(id: number): Promise<Plan> {
    const query = this.#options.queryOf(id);
    const over = await this.#over(query.plan);
    const visible = Array.from({ length: query.visible }, (_, i) => i);
    if (!this.#options.skipsErrors(id)) return build.projectColumns(over, visible);
    const rows = await this.#options.skipping({ ...query, plan: over });
    return given(over.schema.fields.slice(0, query.visible), rows);
  }

  /** Whether the plan, or a view it reads, reads a changed topic. */
  #isChanged(plan: Plan): boolean {
    if (plan.kind !== "source") return inputsOf(plan).some((input) => this.#isChanged(input));
    if (plan.relation !== "view") return this.#options.changes.has(plan.id);
    let reads = this.#reads.get(plan.id);
    if (reads === undefined) {
      reads = this.#isChanged(this.#options.queryOf(plan.id).plan);
      this.#reads.set(plan.id, reads);
    }
    return reads;
  }
}

/** Rows known by the topic's own key, which may be a column that no query sees. */
async function changed(source: SourcePlan, changes: TopicChanges): Promise<Plan> {
  const { fields } = source.schema;
  const { topic } = changes;
  const { schema, key, columns: at, places } = placedOf(topic);
  const { keys, rows: own } = changes.overlay(source.key !== null || places !== null);
  const rows =
    places === null
      ? own
      : own.map((row) => at.map((c, i) => (c < 0 ? nothing(schema.fields[i]!) : row[c]!)));
  const fresh = await given(fields, rows);
  if (keys.length === 0) return build.union([source, fresh]);
  if (key === null) throw new EvertError("internal", `topic "${source.name}" has changed rows and no key`);
  const all = build.source({ ...source, kind: "table", schema, key });
  const gone = await given(
    [...key.map((c) => schema.fields[c]!), { name: "gone", type: bool, nullable: false }],
    keys.map((k) => [...k, true]),
  );
  const met = build.join({
    type: "left",
    left: all,
    right: gone,
    leftKeys: key,
    rightKeys: key.map((_, i) => i),
  });
  const width = schema.fields.length;
  const untouched = build.filter(met, { kind: "isNull", arg: build.column(met, width + key.length) });
  const columns = fields.map((_, i) => i);
  return build.union([build.projectColumns(untouched, columns), fresh]);
}

/** What stands where there is no column any more. */
function nothing({ type, nullable }: Field): Datum {
  return nullable ? null : emptyDatum(type);
}

/** These rows, for this query only; the event loop has its turns while there are many. */
async function given(fields: readonly Field[], rows: Rows): Promise<Plan> {
  const parts: Plan[] = [];
  for (let from = 0; from === 0 || from < rows.length; from += ROWS_PER_PART) {
    if (from > 0) await nextTurn();
    parts.push(nameOnce(build.values(fields, rows.slice(from, from + ROWS_PER_PART))));
  }
  return parts.length === 1 ? (parts[0] as Plan) : build.union(parts);
}
