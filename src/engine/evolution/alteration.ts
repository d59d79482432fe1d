/**
 * ALTER TABLE … ADD, DROP, RENAME and ALTER COLUMN, and RENAME TO.
 *
 * While nothing else is staged: the actions are applied to a draft of the topic; rows are looked at where they decide; who uses a column that goes is
 * named, or goes too; what was written down in the words of before (views, conditions, indexes) notes which words these were. Then a copy of the
 * catalog is changed and everything that reads the topic is planned against it, so that what is written to the log is known to work. One event
 * says all of it, and it is the catalog's: after it the topic's old batches are read in its newest schema (log/evolution.ts).
 */
import { EvertError } from "../../base/errors.ts";
import type { Datum } from "../../batch/convert.ts";
import { schemaOf } from "../../batch/schema.ts";
import { evaluateExpr } from "../../dataflow/kernels/evaluate.ts";
import * as build from "../../plan/build.ts";
import { columnsOf, inputsOf } from "../../plan/inspect.ts";
import { optimizeQuery } from "../../plan/optimize.ts";
import type { Plan } from "../../plan/plan.ts";
import { relationPlan } from "../../plan/relation-plan.ts";
import { type AlterAction, bindDomains, bindPlainView } from "../../sql/statement.ts";
import type { CatalogEntry, EngineCatalog, TopicEntry, ViewEntry } from "../catalog/catalog.ts";
import type { CatalogEvent } from "../catalog/catalog-events.ts";
import type { Core } from "../core.ts";
import { replacement } from "../live/replacement.ts";
import { fingerprintOf } from "../planner.ts";
import { runQuery } from "../queries/adhoc.ts";
import { namedIn, usersOf, words } from "../sql/drop.ts";
import { conditionOf } from "../write/constraints.ts";
import { placeOf } from "./evolved.ts";
import { SchemaDraft } from "./schema-draft.ts";

/** Of one topic, while nobody else changes anything. */
export class Alteration {
  readonly #core: Core;
  readonly #topic: TopicEntry;

  /** Views that read a column whose type changes are named, as PostgreSQL does, or made anew. */
  readonly #retyping: "names users" | "rebuilds views";

  constructor(core: Core, topic: TopicEntry, retyping: "names users" | "rebuilds views") {
    this.#core = core;
    this.#topic = topic;
    this.#retyping = retyping;
  }

  /** What has to be written down, and what it is in words. */
  async events(
    actions: readonly AlterAction[],
  ): Promise<{ readonly events: readonly CatalogEvent[]; readonly changes: readonly string[] }> {
    const { log, catalog } = this.#core;
    const { id } = this.#topic;
    this.#refuseSink();
    const draft = new SchemaDraft(this.#topic, log.topicEnd(id) > 0, log.topicVersion(id));
    for (const action of actions) {
      if (action.action === "renameTo" && catalog.isTaken(action.to))
        throw new EvertError("duplicate_table", `relation "${action.to}" already exists`);
      draft.apply(action, action.action === "addColumn" ? this.#given(action) : null);
      // As PostgreSQL does, the first that may not be is named, in the order in which they are done.
      if (action.action === "dropColumn") this.#usersOfDropped(draft);
      if (action.action === "alterType" && this.#retyping === "names users")
        for (const column of draft.retyped) this.#refuseRetyped(column);
    }
    this.#refuseDeclared(actions);
    for (const [column, named] of draft.filled) await this.#refuseNulls(column, named);
    const users = this.#usersOfDropped(draft);
    const since = { position: log.lastPosition + 1, timeUs: log.nowUs() };
    const altered = draft.finish(since, this.#checksAfter(draft));
    const indexes = this.#indexesAfter(draft, altered);
    const gone: CatalogEvent[] = [
      ...users.map((view): CatalogEvent => ({ event: "drop", id: view.id })),
      ...indexes.gone.map((index): CatalogEvent => ({ event: "drop", id: index })),
    ];
    const kept = catalog.views().filter((view) => !users.includes(view));
    const others = [...indexes.kept, ...this.#inTheirWords(kept)];
    const alter: CatalogEvent = { event: "alter", entry: altered, others };
    return { events: [...gone, alter, ...this.#planned([...gone, alter])], changes: draft.changes };
  }

  #refuseSink(): void {
    const owner = this.#core.sinks.ownerOf(this.#topic.id);
    if (owner === null) return;
    throw new EvertError(
      "wrong_object_type",
      `"${this.#topic.name}" is written by view "${owner.name}" alone`,
      {
        detail: "It is the view's sink, and has the view's columns.",
        hint: "Drop the view first.",
      },
    );
  }

  /** What the running program declares would not be found by its next start. */
  #refuseDeclared(actions: readonly AlterAction[]): void {
    const declared = this.#core.topicHandles.get(this.#topic.name);
    if (declared === undefined) return;
    for (const action of actions) {
      const isDeclared =
        action.action === "renameTo" ||
        ((action.action === "dropColumn" || action.action === "renameColumn") &&
          declared.schema.fields.some((f) => f.name === action.column));
      if (!isDeclared) continue;
      const what =
        action.action === "renameTo"
          ? `"${declared.name}"`
          : `column "${action.column}" of "${declared.name}"`;
      throw new EvertError(
        "dependent_objects",
        `cannot ${wordsIn(action)} ${what}: the program declares it`,
        {
          hint: "Take it out of the program's declaration first, and start the program again.",
        },
      );
    }
  }

  #given({ field, fallback, given }: AlterAction & { action: "addColumn" }): Datum {
    const { evaluation, catalog } = this.#core;
    const datum = given === null ? fallback.value : evaluateExpr(given, [], evaluation);
    if (this.#hasRows())
      for (const value of bindDomains(this.#topic.name, schemaOf([field]), catalog))
        evaluateExpr(value, [datum]);
    return datum;
  }

  #hasRows(): boolean {
    const store = this.#core.tables.store(this.#topic.id);
    return store === null ? this.#core.log.topicEnd(this.#topic.id) > 0 : store.live > 0;
  }

  /** @throws not_null_violation where a row has a null there, or has nothing there yet. */
  async #refuseNulls(columnId: number, name: string): Promise<void> {
    const { catalog, stepper } = this.#core;
    const violated = (): EvertError =>
      new EvertError(
        "not_null_violation",
        `column "${name}" of relation "${this.#topic.name}" contains null values`,
        {
          hint: "Give the column a DEFAULT, or its rows values before it is SET NOT NULL.",
        },
      );
    const ids = this.#topic.evolved?.ids ?? this.#topic.schema.fields.map((_, c) => c + 1);
    const column = ids.indexOf(columnId);
    if (!this.#hasRows()) return;
    if (column < 0) throw violated();
    const rows = relationPlan(catalog.relation(this.#topic.name)!);
    const nulls = build.filter(rows, { kind: "isNull", arg: build.column(rows, column) });
    const first = build.topK(nulls, { partition: [], order: [], limit: 1, offset: 0, ties: false });
    const query = optimizeQuery({ plan: first, order: [], visible: first.schema.fields.length });
    const { epoch, position } = stepper;
    if ((await runQuery(this.#core, query, { epoch, position })).rows.length > 0) throw violated();
  }

  #refuseRetyped(columnId: number): void {
    const users = this.#usersOf(columnId);
    if (users.length === 0) return;
    const name = this.#nameOf(columnId);
    throw new EvertError("feature_not_supported", "cannot alter type of a column used by a view or rule", {
      detail: users.map((view) => `rule _RETURN on ${words(view)} depends on column "${name}"`).join("\n"),
      hint: "Drop the views, and make them again over the column's new type.",
    });
  }

  /** Views that go with the columns, latest first. @throws dependent_objects where they are not to. */
  #usersOfDropped(draft: SchemaDraft): ViewEntry[] {
    const gone = new Map<number, ViewEntry>();
    for (const [column, { cascade }] of draft.dropped) {
      const users = this.#usersOf(column);
      const theirs = usersOf(this.#core, users);
      if (users.length === 0) continue;
      const named = `column ${this.#nameOf(column)} of table ${this.#topic.name}`;
      if (!cascade) {
        const direct = users.map((view) => `${words(view)} depends on ${named}`);
        const indirect = theirs.map(({ view, of }) => `${words(view)} depends on ${words(of)}`);
        throw new EvertError("dependent_objects", `cannot drop ${named} because other objects depend on it`, {
          detail: [...direct, ...indirect].join("\n"),
          hint: "Use DROP ... CASCADE to drop the dependent objects too.",
        });
      }
      for (const view of [...users, ...theirs.map((user) => user.view)]) gone.set(view.id, view);
    }
    return [...gone.values()].sort((a, b) => b.id - a.id);
  }

  #nameOf(columnId: number): string {
    const ids = this.#topic.evolved?.ids ?? this.#topic.schema.fields.map((_, c) => c + 1);
    return this.#topic.schema.fields[ids.indexOf(columnId)]!.name;
  }

  /** Views that name the topic and read the column, in the order in which they were made. */
  #usersOf(columnId: number): ViewEntry[] {
    const ids = this.#topic.evolved?.ids ?? this.#topic.schema.fields.map((_, c) => c + 1);
    const place = placeOf(this.#topic, ids.indexOf(columnId));
    const views = this.#core.catalog.views().sort((a, b) => a.id - b.id);
    return views.filter((view) => {
      const plan = this.#names(view) ? this.#planOf(view) : null;
      return plan !== null && reads(plan, this.#topic.id, place);
    });
  }

  #names(view: ViewEntry): boolean {
    const { catalog, views } = this.#core;
    return view.sql === null
      ? views.reads(view.id).includes(this.#topic.id)
      : [...namedIn(catalog, view).values()].includes(this.#topic.id);
  }

  /** Null: what it is made of is not known, or not any more. */
  #planOf(view: ViewEntry): Plan | null {
    const { catalog, views } = this.#core;
    if (view.materialized) return views.get(view.id)?.query?.plan ?? null;
    return bindPlainView(view.sql as string, catalog.within(view)).plan;
  }

  /** CHECKs that name no column that goes, each with the version whose columns it names. */
  #checksAfter(draft: SchemaDraft): TopicEntry["checks"] {
    const version = this.#topic.schemaVersion;
    return this.#topic.checks?.flatMap((check) => {
      const read = [...columnsOf(conditionOf(this.#topic, check, this.#core.catalog))];
      if (read.some((column) => draft.at(column) < 0)) return [];
      return [draft.isNewSchema ? { ...check, version: check.version ?? version } : check];
    });
  }

  /** Indexes over the columns that are left, by the names they have then. */
  #indexesAfter(draft: SchemaDraft, altered: TopicEntry): { kept: CatalogEntry[]; gone: number[] } {
    const { fields } = this.#topic.schema;
    const kept: CatalogEntry[] = [];
    const gone: number[] = [];
    for (const index of this.#core.catalog.indexesOn(this.#topic.id)) {
      const at = index.items.map(({ column }) => draft.at(fields.findIndex((f) => f.name === column)));
      if (at.includes(-1)) {
        gone.push(index.id);
        continue;
      }
      const items = index.items.map((item, i) => ({ ...item, column: altered.schema.fields[at[i]!]!.name }));
      if (items.some((item, i) => item.column !== index.items[i]!.column)) kept.push({ ...index, items });
    }
    return { kept, gone };
  }

  /** Views in SQL that name the topic as it is from now on called otherwise: they note what they mean by it. */
  #inTheirWords(views: readonly ViewEntry[]): ViewEntry[] {
    const { id, schemaVersion: version } = this.#topic;
    return views.flatMap((view) => {
      const names = [...namedIn(this.#core.catalog, view)].flatMap(([name, meant]) =>
        meant === id ? [name] : [],
      );
      const fresh = names.filter((name) => view.over === undefined || !Object.hasOwn(view.over, name));
      if (fresh.length === 0) return [];
      const over = Object.fromEntries(fresh.map((name) => [name, { id, version }]));
      return [{ ...view, over: { ...view.over, ...over } }];
    });
  }

  /**
   * Plans what reads the topic as it will be. What comes out otherwise than it was is made anew. @throws EvertError where something cannot be planned
   */
  #planned(events: readonly CatalogEvent[]): CatalogEvent[] {
    const { views } = this.#core;
    const fork = this.#core.catalog.fork();
    for (const event of events) fork.apply(event);
    for (const check of (fork.byId(this.#topic.id) as TopicEntry).checks ?? [])
      conditionOf(fork.byId(this.#topic.id) as TopicEntry, check, fork);
    const anew: CatalogEvent[] = [];
    for (const view of fork.views().sort((a, b) => a.id - b.id)) {
      const live = views.get(view.id);
      if (!view.materialized || live === undefined || live.query === null) continue;
      const query = views.planned(view, fork);
      const fingerprint = fingerprintOf(query, view);
      if (fingerprint === view.fingerprint) continue;
      const made = { ...view, id: fork.nextId(), fingerprint };
      const replaced = replacement(this.#core, view.id, made);
      anew.push(...replaced);
      this.#applyTo(fork, replaced, live.entry.id, made.id);
    }
    return anew;
  }

  /** A view over it finds it under its new id. */
  #applyTo(fork: EngineCatalog, events: readonly CatalogEvent[], from: number, to: number): void {
    fork.describeLike(from, to);
    for (const event of events) fork.apply(event);
  }
}

/** Whether the plan reads this column of the topic. A source below a projection is read in the columns that it names, any other in all it had. */
function reads(plan: Plan, topicId: number, place: number): boolean {
  if (plan.kind === "source") return plan.id === topicId && place < plan.schema.fields.length;
  if (plan.kind !== "project" || plan.input.kind !== "source")
    return inputsOf(plan).some((input) => reads(input, topicId, place));
  return plan.input.id === topicId && plan.exprs.some((e) => columnsOf(e).has(place));
}

function wordsIn({ action }: AlterAction): string {
  return action === "dropColumn" ? "drop" : "rename";
}
