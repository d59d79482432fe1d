/**
 * COPY: rows in from text that streams in, and out as text that streams away.
 *
 * In: each line becomes a row of values as it comes; when the last has come, all are stored as one transaction, like an INSERT's. So they are held
 * until then, and how many there may be is bounded. Out: a query at one position, run or
 * read as its text is taken (flowing-rows.ts).
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { EvertError, notSupported } from "../../base/errors.ts";
import type { Datum } from "../../batch/convert.ts";
import { CopyDecoder, type CopyRow, type CopyTarget, inCopy } from "../../batch/copy/decode.ts";
import { copyLineWriter } from "../../batch/copy/encode.ts";
import { datumFromText, valueToText } from "../../batch/text-form.ts";
import { evaluateExpr } from "../../dataflow/kernels/evaluate.ts";
import {
  bindStatement,
  type CopyFromStatement,
  type CopyToStatement,
  loadParser,
  paramFromJson,
  parseStatements,
  refuseSurplusParams,
  type Statement,
  StatementTime,
} from "../../sql/statement.ts";
import type { CopyIn, CopyOut, SqlOptions } from "../api.ts";
import type { Core } from "../core.ts";
import { refuseOwnTable } from "../own/own-tables.ts";
import { flowQuery } from "../queries/adhoc.ts";
import { withItsColumns } from "../queries/columns-read.ts";
import type { FlowingRows } from "../queries/flowing-rows.ts";
import { TopicChanges } from "../write/changes.ts";

/** What one COPY … FROM may bring: it is one transaction, held in memory until it is stored. */
const ROWS_MAX = 1_000_000;
const BYTES_MAX = 64 * 1024 * 1024;
const SLICE_ROWS = 512;

/** The one COPY of the text, ready to take rows or to give them. */
export async function copy(core: Core, sql: string, options: SqlOptions): Promise<CopyIn | CopyOut> {
  await loadParser();
  await core.reached(options);
  core.refuseEnded();
  const [parsed, another] = parseStatements(sql);
  if (parsed === undefined || another !== undefined) {
    throw new EvertError("invalid_request", "one COPY is wanted, and nothing else", {
      hint: "Send other statements to POST /v1/sql.",
    });
  }
  refuseSurplusParams([parsed], options.params?.length ?? 0);
  const bound = (): Statement =>
    bindStatement(parsed, core.catalog, (options.params ?? []).map(paramFromJson), {
      time: new StatementTime(BigInt(core.clock.wallUs())),
    });
  let statement = bound();
  const { moments } = core.publisher;
  while (!moments.isWhole && statement.kind === "copyTo") {
    await moments.wait(options.timeoutMs);
    statement = bound();
  }
  if (statement.kind === "copyFrom") return new RowsIn(core, statement);
  if (statement.kind === "copyTo") return rowsOut(core, statement, options, bound);
  throw new EvertError("invalid_request", "the statement is no COPY", {
    hint: "Send other statements to POST /v1/sql.",
  });
}

/** COPY within a request that carries no data. */
export function refuseCopy(): EvertError {
  return notSupported(
    "COPY in a request that carries no data",
    undefined,
    "Use POST /v1/copy?statement=COPY…, or evert query with the text on standard input.",
  );
}

class RowsIn implements CopyIn {
  readonly direction = "in";
  readonly #core: Core;
  readonly #statement: CopyFromStatement;
  readonly #target: CopyTarget;
  readonly #decoder: CopyDecoder;
  /** What a column has that is not copied. */
  readonly #defaults: readonly Datum[];
  readonly #rows: Datum[][] = [];
  readonly #lines: number[] = [];
  #bytes = 0;

  constructor(core: Core, statement: CopyFromStatement) {
    this.#core = core;
    this.#statement = statement;
    const { relation, columns, format, row } = statement;
    refuseOwnTable(relation);
    this.#target = {
      table: relation.name,
      columns: columns.map((c) => relation.schema.fields[c]!.name),
    };
    this.#decoder = new CopyDecoder(format, this.#target);
    this.#defaults = row.map((expr, i) => (columns.includes(i) ? null : evaluateExpr(expr, [])));
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    if (this.#bytes > BYTES_MAX) throw this.#tooMuch(`${BYTES_MAX} bytes`);
    await this.#take(this.#decoder.push(bytes));
  }

  async finish(): Promise<{ position: string; rowCount: number; command: string }> {
    await this.#take(this.#decoder.end());
    const { committer, catalog, constraints, stepper, slices } = this.#core;
    const receipt = await committer.exclusively(async () => {
      const topic = catalog.byId(this.#statement.relation.id);
      if (topic?.kind !== "topic") {
        throw new EvertError("undefined_table", `relation "${this.#target.table}" does not exist`);
      }
      const looked = (): void => stepper.lookedFor();
      const fresh = () => new TopicChanges(constraints.of(topic.id)!, stepper.epoch, slices, {}, looked);
      const changes = fresh();
      try {
        await changes.insert(this.#rows, null);
      } catch (error) {
        throw await this.#atItsLine(error, fresh());
      }
      const parts = await changes.parts();
      return parts.length === 0 ? null : parts;
    });
    const rowCount = this.#rows.length;
    const position = receipt === null ? this.#core.position : String(receipt.position);
    return { position, rowCount, command: `COPY ${rowCount}` };
  }

  async #take(rows: Iterable<CopyRow>): Promise<void> {
    let n = 0;
    for (const row of rows) {
      if (this.#rows.length === ROWS_MAX) throw this.#tooMuch(`${ROWS_MAX} rows`);
      this.#rows.push(this.#valuesOf(row));
      this.#lines.push(row.line);
      if (++n % SLICE_ROWS === 0) await nextTurn();
    }
  }

  #valuesOf({ fields, line, text }: CopyRow): Datum[] {
    const { columns, relation } = this.#statement;
    const values = [...this.#defaults];
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      const { name, type } = relation.schema.fields[column]!;
      const field = fields[i];
      if (field === undefined) {
        const missing = new EvertError("bad_copy_format", `missing data for column "${name}"`);
        throw inCopy(missing, this.#target, line, text);
      }
      try {
        const value = field === null ? null : datumFromText(type, field);
        const domain = this.#statement.domains[column] ?? null;
        values[column] = domain === null ? value : evaluateExpr(domain, [value]);
      } catch (error) {
        throw inCopy(error, this.#target, line, field ?? "", name);
      }
    }
    return values;
  }

  /** Which line it was: found by storing them one by one, as far as it goes. */
  async #atItsLine(error: unknown, changes: TopicChanges): Promise<unknown> {
    for (let i = 0; i < this.#rows.length; i++) {
      try {
        await changes.insert([this.#rows[i]!], null);
      } catch (again) {
        return inCopy(again, this.#target, this.#lines[i]!);
      }
    }
    return error;
  }

  #tooMuch(what: string): EvertError {
    return new EvertError("request_too_large", `a COPY may bring ${what} at most`, {
      detail: "It is one transaction: all of its rows are stored at once, or none.",
      hint: "Split the data, or use evert append, which stores it in chunks.",
    });
  }
}

async function rowsOut(
  core: Core,
  statement: CopyToStatement,
  { signal, timeoutMs }: SqlOptions,
  again: () => Statement,
): Promise<CopyOut> {
  const { format } = statement;
  const run = ({ query }: CopyToStatement): Promise<FlowingRows> => flowQuery(core, query, signal);
  const leave = (rows: FlowingRows): void => rows.close();
  const rows = await withItsColumns(core, statement, { signal, timeoutMs, again, run, leave });
  const { fields, position } = rows;
  const line = copyLineWriter(format);
  const names = fields.map((f) => f.name);
  const texts = fields.map((): string | null => null);
  async function* pieces(): AsyncGenerator<string, void, undefined> {
    try {
      if (format.header !== false) yield line(names, true);
      yield* rows.pieces((row) => {
        for (let c = 0; c < texts.length; c++) texts[c] = valueToText(fields[c]!.type, row[c] as Datum);
        return line(texts);
      });
    } finally {
      rows.close();
    }
  }
  return {
    direction: "out",
    position: String(position),
    format: format.format,
    pieces: pieces(),
  };
}
