/**
 * SQL requests: each statement bound against the catalog as the ones before it left it, run, and answered in order.
 *
 * A statement is a transaction of its own, unless it stands between BEGIN and COMMIT of the same request: those run with the gate held and
 * are committed as one. When a statement fails, those before it stand, and the error is answered beside their results.
 */
import { EvertError, notSupported, toEvertError } from "../../base/errors.ts";
import type { Datum } from "../../batch/convert.ts";
import { json, text } from "../../batch/types.ts";
import type { Build } from "../../dataflow/circuit.ts";
import { evaluateExpr } from "../../dataflow/kernels/evaluate.ts";
import { withLookups } from "../../plan/lookup.ts";
import type { Plan, Query } from "../../plan/plan.ts";
import {
  commandTag,
  type DropStatement,
  loadParser,
  type ParsedStatement,
  paramFromJson,
  parseStatements,
  refuseSurplusParams,
  type Statement,
} from "../../sql/statement.ts";
import { Pace } from "../../views/pace.ts";
import type { Published } from "../../views/subscription-item.ts";
import type { SqlOptions, SqlResponse, StatementResult } from "../api.ts";
import type { Core } from "../core.ts";
import { alterTable } from "../evolution/alter-table.ts";
import { alterKeeping } from "../keeping.ts";
import { decidedDurably } from "../own/own-rows.ts";
import { refuseOwnTable } from "../own/own-tables.ts";
import { type AnswerRoom, answerRoom, asksForRows, flowQuery, runQuery } from "../queries/adhoc.ts";
import { withItsColumns } from "../queries/columns-read.ts";
import type { FlowingRows } from "../queries/flowing-rows.ts";
import { mapInTurns } from "../turns.ts";
import { type FindStored, TopicChanges } from "../write/changes.ts";
import type { Part } from "../write/part.ts";
import { refuseCopy } from "./copy.ts";
import { createIndex, dropIndexes } from "./create-index.ts";
import { createTable, createView } from "./create-relation.ts";
import { dropRelations } from "./drop.ts";
import { type Analyzed, explainAnalyzed, explainPlanAs } from "./explain.ts";
import { KeptPlans } from "./kept-plans.ts";
import { Overlay } from "./overlay.ts";
import { answer, done, flowingAnswer, textRows } from "./statement-answer.ts";
import { constantRows, storedRows, wideRows } from "./statement-rows.ts";
import { createType, dropTypes } from "./types.ts";

/** Changes of one transaction, by topic. */
type Changes = Map<number, TopicChanges>;
type SelectStatement = Extract<Statement, { kind: "select" }>;
type DataStatement = Extract<Statement, { kind: "insert" | "update" | "delete" | "truncate" }>;

/** A request: its answers are held together until they are sent. */
interface Asked extends SqlOptions {
  readonly room: AnswerRoom;
  /** Between two statements. */
  readonly pace: Pace;
}

export class Statements {
  readonly #core: Core;
  readonly #plans: KeptPlans;

  constructor(core: Core) {
    this.#core = core;
    this.#plans = new KeptPlans(core.catalog);
  }

  async run(sql: string, given: SqlOptions): Promise<SqlResponse> {
    const { chores, slices } = this.#core;
    const pace = new Pace({ signal: given.signal, turn: () => chores.turn(), slices });
    const options: Asked = { ...given, room: answerRoom(), pace };
    // Does nothing unless a text has broken the parser's memory before.
    await loadParser();
    await this.#core.reached(options);
    const { moments } = this.#core.publisher;
    const results: StatementResult[] = [];
    let position = this.#core.position;
    const note = (at: string): void => {
      position = at;
    };
    try {
      this.#core.refuseEnded();
      const parsed = parseStatements(sql);
      if (given.single === true && parsed.length !== 1) throw notOne(parsed.length);
      refuseSurplusParams(parsed, given.params?.length ?? 0);
      for (let i = 0; i < parsed.length; ) {
        options.signal?.throwIfAborted();
        await pace.pause();
        // While it waits what it names may become something else.
        const bound = (): Statement => this.#bind(parsed[i] as ParsedStatement, options);
        let statement = bound();
        while (!moments.isWhole && isRead(statement)) {
          await moments.wait(options.timeoutMs);
          statement = bound();
        }
        if (statement.kind === "begin") {
          i = await this.#transaction(parsed, i, options, results, note);
          continue;
        }
        if (given.flowing === true && statement.kind === "select" && i === parsed.length - 1) {
          const rows = await this.#flow(statement, options, bound);
          const flowing = flowingAnswer(rows, (count) => commandTag(statement, count));
          return { results, flowing, position: String(rows.position) };
        }
        results.push(await this.#one(statement, options, note, bound));
        i++;
      }
    } catch (thrown) {
      const error = toEvertError(isOverrun(thrown) ? tooDeep(thrown) : thrown);
      return { results, error: { ...error.toJSON(), status: error.status }, position };
    }
    return { results, position };
  }

  #bind(parsed: ParsedStatement, options: Asked, nowUs = this.#nowUs()): Statement {
    return this.#plans.bind(parsed, (options.params ?? []).map(paramFromJson), nowUs);
  }

  #nowUs(): bigint {
    return BigInt(this.#core.clock.wallUs());
  }

  async #one(
    statement: Statement,
    options: Asked,
    note: (position: string) => void,
    again: () => Statement = () => statement,
  ): Promise<StatementResult> {
    const { alterations } = this.#core.catalog;
    switch (statement.kind) {
      case "select":
        return this.#read(statement, options, note, again);
      case "insert":
      case "update":
      case "delete":
      case "truncate": {
        let result = done(statement);
        const receipt = await decidedDurably(this.#core, async () => {
          const changes: Changes = new Map();
          // While it waited for its turn a table may have got other columns.
          const isNow = alterations === this.#core.catalog.alterations;
          result = await this.#change(isNow ? statement : (again() as DataStatement), changes, options);
          return partsOf(changes);
        });
        if (receipt !== null) note(String(receipt.position));
        return result;
      }
      case "copyFrom":
      case "copyTo":
        throw refuseCopy();
      case "createTable":
        note(await createTable(this.#core, statement));
        return done(statement);
      case "createView":
        note(await createView(this.#core, statement));
        return done(statement);
      case "createType":
        note(await createType(this.#core, statement));
        return done(statement);
      case "createIndex":
        note(await createIndex(this.#core, statement));
        return done(statement);
      case "drop":
        note(await this.#dropped(statement));
        return done(statement);
      case "alterKeeping":
        note(await alterKeeping(this.#core, statement));
        return done(statement);
      case "alterTable":
        note(await alterTable(this.#core, statement));
        return done(statement);
      case "explain":
        return this.#explain(statement, options, new Map());
      case "show":
        return textRows(statement, statement.name, [statement.value]);
      case "commit":
      case "rollback":
      case "begin":
        // COMMIT without BEGIN is a warning in PostgreSQL, not an error.
        return done(statement);
    }
  }

  #dropped(statement: DropStatement): Promise<string> {
    if (statement.object === "type" || statement.object === "domain") return dropTypes(this.#core, statement);
    return statement.object === "index"
      ? dropIndexes(this.#core, statement)
      : dropRelations(this.#core, statement);
  }

  /** Runs from BEGIN at `first` to its COMMIT or ROLLBACK; returns the index behind. Without either nothing is committed. */
  async #transaction(
    parsed: readonly ParsedStatement[],
    first: number,
    options: Asked,
    results: StatementResult[],
    note: (position: string) => void,
  ): Promise<number> {
    let next = first;
    const before = results.length;
    const untold = (): void => {
      results.length = before;
    };
    const decide = async (): Promise<Part[] | null> => {
      const changes: Changes = new Map();
      // As in PostgreSQL, now() is the transaction's.
      const nowUs = this.#nowUs();
      for (; next < parsed.length; next++) {
        await options.pace.pause();
        const one = parsed[next] as ParsedStatement;
        const statement = this.#bind(one, options, nowUs);
        switch (statement.kind) {
          case "begin":
            results.push(done(statement));
            break;
          case "commit":
            next++;
            results.push(done(statement));
            return partsOf(changes);
          case "rollback":
            next++;
            results.push(done(statement));
            return null;
          case "insert":
          case "update":
          case "delete":
          case "truncate":
            results.push(await this.#change(statement, changes, options));
            break;
          case "select":
            results.push(await this.#select(statement, options, note, changes));
            break;
          case "explain":
            results.push(await this.#explain(statement, options, changes));
            break;
          case "show":
            results.push(await this.#one(statement, options, note));
            break;
          case "copyFrom":
          case "copyTo":
            throw refuseCopy();
          case "createTable":
          case "createView":
          case "createType":
          case "createIndex":
          case "drop":
          case "alterKeeping":
          case "alterTable":
            throw notSupported(
              `${commandTag(statement, 0)} in a transaction`,
              one.position,
              "Send it before BEGIN or behind COMMIT: a definition is a commit of its own.",
            );
        }
      }
      throw new EvertError(
        "invalid_request",
        "the request ended inside a transaction: nothing of it is stored",
        {
          sqlstate: "25000",
          hint: "Send BEGIN … COMMIT in one request.",
        },
      );
    };
    const receipt = await decidedDurably(this.#core, decide, untold);
    if (receipt !== null) note(String(receipt.position));
    return next;
  }

  // ---- queries ----------------------------------------------------------------------------------------------------------

  #read(
    statement: SelectStatement,
    options: Asked,
    note: (position: string) => void,
    again: () => Statement,
  ): Promise<StatementResult> {
    const { bytes } = options.room;
    const run = (now: SelectStatement): Promise<StatementResult> => {
      options.room.bytes = bytes;
      return this.#select(now, options, note);
    };
    return withItsColumns(this.#core, statement, { ...options, again, run });
  }

  /** Whoever has taken rows is told when the rest of them is lost: they are not asked for again. */
  #flow(statement: SelectStatement, options: Asked, again: () => Statement): Promise<FlowingRows> {
    const run = ({ query }: SelectStatement): Promise<FlowingRows> =>
      flowQuery(this.#core, query, options.signal);
    return withItsColumns(this.#core, statement, { ...options, again, run, leave: (rows) => rows.close() });
  }

  async #select(
    statement: SelectStatement,
    options: Asked,
    note: (position: string) => void,
    changes: Changes = new Map(),
  ): Promise<StatementResult> {
    const { query, at } = await this.#seen(statement.query, changes, options);
    const { fields, rows, position } = await runQuery(this.#core, query, at, options);
    note(String(position));
    return answer(commandTag(statement, rows.length), fields, rows);
  }

  /** The query, and the state it is run on: null, what readers see; once the transaction has changed something, the newest with its changes. */
  async #seen(
    query: Query,
    changes: Changes,
    options: Asked,
  ): Promise<{ query: Query; at: Published | null }> {
    const { views, stepper } = this.#core;
    const made = new Map([...changes].filter(([, c]) => !c.isEmpty));
    if (made.size === 0) return { query, at: null };
    const { epoch, position } = stepper;
    const overlay = new Overlay({
      changes: made,
      queryOf: (id) => views.queryOf(id),
      skipsErrors: (id) => views.get(id)?.entry.onError === "skip",
      skipping: async (plain) =>
        wideRows(
          plain,
          (
            await runQuery(
              this.#core,
              plain,
              { epoch, position },
              { signal: options.signal, skipErrors: true },
            )
          ).rows,
          this.#core.slices,
        ),
    });
    const seen = await overlay.over(query);
    // Views that are written out by now may fail for readers and not for this transaction, which has mended them.
    views.checkReadable(seen, epoch);
    return { query: seen, at: { epoch, position } };
  }

  async #explain(
    statement: Extract<Statement, { kind: "explain" }>,
    options: Asked,
    changes: Changes,
  ): Promise<StatementResult> {
    const lines = await this.#explained(statement, options, changes);
    return textRows(statement, "QUERY PLAN", lines, statement.format === "json" ? json : text);
  }

  async #explained(
    statement: Extract<Statement, { kind: "explain" }>,
    options: Asked,
    changes: Changes,
  ): Promise<string[]> {
    const { views } = this.#core;
    const { code, analyze, view } = statement;
    const query = view === null ? statement.query : views.queryOf(views.named(view).entry.id);
    if (code) return this.#code(query);
    if (!analyze) {
      const read = statement.once ? withLookups(query, (id) => this.#core.indexes.of(id)) : query;
      return explainPlanAs(read, statement.format, statement.change);
    }
    const parts: Analyzed[] = [];
    let executionMs: number | null = null;
    if (view === null) {
      const started = performance.now();
      const { query: seen, at } = await this.#seen(query, changes, options);
      const inspect = (build: Build): void => {
        parts.push({ view: null, operators: build.operators() });
      };
      await runQuery(this.#core, seen, at, { signal: options.signal, inspect });
      executionMs = performance.now() - started;
    }
    if (view !== null) views.readable(views.named(view));
    const living = view === null ? (statement.views ? views.readBy(query.plan) : []) : [views.named(view)];
    for (const { entry, node } of living) {
      if (node !== null) parts.push({ view: entry.name, operators: node.operators() });
    }
    return explainAnalyzed(parts, statement, executionMs);
  }

  #code(query: Query): string[] {
    const build = this.#core.circuit.build(null, "explain", query.plan);
    try {
      return build.explainCode().split("\n");
    } finally {
      build.cancel();
      this.#core.stepper.sweep();
    }
  }

  // ---- changes ----------------------------------------------------------------------------------------------------------

  async #change(statement: DataStatement, changes: Changes, options: Asked): Promise<StatementResult> {
    // Before its rows are looked at: what is wrong with them is not why it cannot be.
    for (const relation of "relations" in statement ? statement.relations : [statement.relation])
      refuseOwnTable(relation);
    if (statement.kind === "truncate") {
      for (const { id, name } of statement.relations) await this.#changesOf(id, name, changes).clear();
      return done(statement);
    }
    const rows = await this.#changed(statement, changes, options);
    const { returning } = statement;
    if (returning === null) return done(statement, rows.length);
    const shown = await mapInTurns(rows, this.#core.slices, (row) =>
      returning.exprs.map((e) => evaluateExpr(e, row, this.#core.evaluation)),
    );
    return answer(commandTag(statement, rows.length), returning.fields, shown);
  }

  #changesOf(id: number, name: string, changes: Changes): TopicChanges {
    const topic = this.#core.catalog.byId(id);
    if (topic?.kind !== "topic") {
      throw new EvertError("wrong_object_type", `cannot change view "${name}"`, {
        hint: "Change the topics it is derived from.",
      });
    }
    let mine = changes.get(id);
    if (mine === undefined) {
      mine = new TopicChanges(
        this.#core.constraints.of(id)!,
        this.#core.stepper.epoch,
        this.#core.slices,
        this.#core.evaluation,
        () => this.#core.stepper.lookedFor(),
      );
      changes.set(id, mine);
    }
    return mine;
  }

  /** The rows a statement has stored, changed or deleted, as its RETURNING sees them. */
  async #changed(
    statement: Exclude<DataStatement, { kind: "truncate" }>,
    changes: Changes,
    options: Asked,
  ): Promise<readonly (readonly Datum[])[]> {
    const { relation } = statement;
    const mine = this.#changesOf(relation.id, relation.name, changes);
    const visible = relation.schema.fields.length;
    const width = mine.topic.schema.fields.length;
    const find: FindStored = (where, how) =>
      storedRows(this.#core, relation, where, { ...how, signal: options.signal });
    switch (statement.kind) {
      case "insert": {
        const { source, order, relation, conflict } = statement;
        const rows = await this.#rowsOf(source, changes, options, order, relation.schema.fields.length);
        return mine.insert(rows, conflict);
      }
      case "update": {
        if (statement.source === null) return mine.update(statement.where, statement.row, find);
        const all = await this.#rowsOf(statement.source, changes, options);
        const asked = await mapInTurns(all, this.#core.slices, (row) => ({
          row: row.slice(0, width),
          next: row.slice(width, width + visible),
        }));
        await mine.replaceRows(asked);
        return mapInTurns(all, this.#core.slices, (row) => [
          ...row.slice(width, width + visible),
          ...row.slice(visible, width),
          ...row.slice(width + visible),
        ]);
      }
      case "delete": {
        if (statement.source === null)
          return mine.delete(statement.where, find, statement.returning === null);
        const rows = await this.#rowsOf(statement.source, changes, options);
        await mine.removeRows(await mapInTurns(rows, this.#core.slices, (row) => row.slice(0, width)));
        return rows;
      }
    }
  }

  /** Rows of an INSERT: constants are evaluated at once, anything else is a query at the newest state. */
  async #rowsOf(
    source: Plan,
    changes: Changes,
    options: Asked,
    order: Query["order"] = [],
    visible: number = source.schema.fields.length,
  ): Promise<readonly (readonly Datum[])[]> {
    const constant = order.length > 0 ? null : constantRows(source, this.#core.evaluation);
    if (constant !== null) return constant;
    const asked: Query = { plan: source, order, visible };
    const { query } = await this.#seen(asked, changes, options);
    const { epoch, position } = this.#core.stepper;
    const { rows } = await runQuery(this.#core, query, { epoch, position }, { signal: options.signal });
    return wideRows(asked, rows, this.#core.slices);
  }
}

/** Whether it asks for rows as readers see them. */
function isRead(statement: Statement): boolean {
  if (statement.kind === "explain") return statement.analyze && statement.view === null;
  return statement.kind === "select" && asksForRows(statement.query);
}

function notOne(count: number): EvertError {
  return new EvertError("invalid_request", `one statement is wanted; there are ${count}`, {
    hint: "Ask for application/json: the answer has a result for each.",
  });
}

async function partsOf(changes: Changes): Promise<Part[] | null> {
  const parts: Part[] = [];
  for (const topic of changes.values()) parts.push(...(await topic.parts()));
  return parts.length === 0 ? null : parts;
}

/** Code that was made of a statement, or who made it, had no room left on the stack. */
function isOverrun(thrown: unknown): boolean {
  return thrown instanceof RangeError && thrown.message === "Maximum call stack size exceeded";
}

function tooDeep(cause: unknown): EvertError {
  return new EvertError("statement_too_complex", "statement is nested too deeply, or has too long a list", {
    hint: "Put long lists into a table or a parameter, and inner queries into views.",
    cause,
  });
}
