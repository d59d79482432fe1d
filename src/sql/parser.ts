/**
 * PostgreSQL's own parser (libpg-query, version 18, compiled to WebAssembly), made safe to call.
 *
 * Load it once with loadParser(); from then on parseStatements() is synchronous. It takes no text whose tree could be too deep
 * for the stack (nesting.ts). If it is overrun all the same, because the caller stands deep in the stack already, the
 * instance cannot be trusted any more: C code was left in the middle. It is thrown away, a spare one takes its
 * place, and a new spare is loaded.
 */
import { createRequire } from "node:module";
import type { Node, ParseResult } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import { nestingBound } from "./nesting.ts";
import { RepeatedTexts } from "./repeated-texts.ts";
import { SourceText } from "./source-text.ts";

/** One statement of a request, not yet bound to any catalog. */
export interface ParsedStatement {
  readonly node: Node;
  /** The statement's own text, without what surrounds it. */
  readonly text: string;
  /** The whole request: positions in errors count in it. */
  readonly source: SourceText;
  /** 1-based character where the statement begins. */
  readonly position: number;
  /** It is the same object each time the request comes, and frozen: what is made of it may be kept with it. */
  readonly isKept: boolean;
}

export const SQL_BYTES_MAX = 1024 * 1024;

/** A fifth of what the parser stands on an empty stack. */
const NESTING_MAX = 2000;

/** What of the compiled module is used here. */
interface PgQueryModule {
  lengthBytesUTF8(text: string): number;
  stringToUTF8(text: string, pointer: number, bytes: number): void;
  UTF8ToString(pointer: number): string;
  getValue(pointer: number, type: "i32"): number;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _wasm_parse_query_raw(query: number): number;
  _wasm_free_parse_result(result: number): void;
}

const instantiate = createRequire(import.meta.url)(
  "libpg-query/wasm/libpg-query.js",
) as () => Promise<PgQueryModule>;

let current: PgQueryModule | null = null;
let spare: PgQueryModule | null = null;
let loading: Promise<void> | null = null;

/** Makes parseStatements() callable. Cheap when it was called before. */
export async function loadParser(): Promise<void> {
  if (current !== null && spare !== null) return;
  loading ??= loadMissing();
  await loading;
}

async function loadMissing(): Promise<void> {
  try {
    current ??= await instantiate();
    spare ??= await instantiate();
  } finally {
    loading = null;
  }
}

const repeated = new RepeatedTexts<readonly ParsedStatement[]>();

/**
 * The statements of a request, in order; none for a text without any. One that comes again and again is parsed once.
 * @throws EvertError syntax_error; statement_too_complex; not_ready before loadParser() or while a broken parser is replaced.
 */
export function parseStatements(sql: string): readonly ParsedStatement[] {
  const known = repeated.get(sql);
  if (known !== undefined) return known;
  try {
    checkText(sql);
    const tree = parse(sql);
    const isKept = repeated.comesAgain(sql);
    const statements = statementsOf(tree, new SourceText(sql), isKept);
    if (isKept) repeated.keep(sql, freezeDeep(statements));
    return statements;
  } catch (error) {
    throw error instanceof RangeError ? tooDeep(error) : error;
  }
}

function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(Object.freeze(value))) freezeDeep(part);
  return value;
}

function statementsOf(tree: ParseResult, source: SourceText, isKept: boolean): ParsedStatement[] {
  return (tree.stmts ?? []).flatMap((raw) => {
    if (raw.stmt === undefined) return [];
    const start = raw.stmt_location ?? 0;
    const end = raw.stmt_len === undefined ? Number.MAX_SAFE_INTEGER : start + raw.stmt_len;
    const slice = source.slice(start, end);
    const text = withoutSurroundings(slice);
    const before = slice.slice(0, slice.indexOf(text));
    return [{ node: raw.stmt, text, source, position: source.position(start)! + [...before].length, isKept }];
  });
}

/** Leading white space and comments, trailing white space. */
function withoutSurroundings(slice: string): string {
  return slice.replace(/^(?:\s+|--[^\n]*(?:\n|$)|\/\*(?:[^*/]|\*(?!\/)|\/(?!\*))*\*\/)+/, "").trimEnd();
}

function checkText(sql: string): void {
  // A UTF-16 unit is at most three bytes: short texts need no count.
  if (sql.length * 3 > SQL_BYTES_MAX && new TextEncoder().encode(sql).length > SQL_BYTES_MAX) {
    throw new EvertError("statement_too_complex", "query text is too long", {
      detail: `A query text may have ${SQL_BYTES_MAX} bytes.`,
      hint: "Send rows as records to the topic, or split the text into several requests.",
    });
  }
  const nul = sql.indexOf("\0");
  if (nul >= 0 || /\p{Surrogate}/u.test(sql)) {
    throw new EvertError("untranslatable_character", "query text is not valid UTF-8", {
      detail: nul >= 0 ? "It contains a null character." : "It contains half of a surrogate pair.",
      ...(nul >= 0 ? { position: [...sql.slice(0, nul)].length + 1 } : {}),
    });
  }
  if (nestingBound(sql, NESTING_MAX) > NESTING_MAX) throw tooDeep();
}

function tooDeep(cause?: unknown): EvertError {
  return new EvertError("statement_too_complex", "statement is nested too deeply", {
    hint: "Use fewer operators in a row or fewer nested parentheses; long lists belong in IN (...) or in a table.",
    cause,
  });
}

function parse(sql: string): ParseResult {
  if (current === null) {
    loadSoon();
    throw new EvertError("not_ready", "the SQL parser is being loaded", { hint: "Try again in a moment." });
  }
  const module = current;
  try {
    return parseWith(module, sql);
  } catch (error) {
    if (error instanceof EvertError) throw error;
    if (!(error instanceof RangeError || error instanceof WebAssembly.RuntimeError)) throw error;
    current = spare;
    spare = null;
    loadSoon();
    throw tooDeep(error);
  }
}

/** The result struct: parse tree as JSON, standard error, error; each a pointer. */
const ERROR_FIELD = 8;
/** The error struct: message, function, file, line, cursor position, context. */
const CURSOR_FIELD = 16;

/** With a stack of its own. Who needs the parser before it is there is told not_ready, and has it loaded again. */
function loadSoon(): void {
  setImmediate(() => loadParser().catch(() => {}));
}

function parseWith(module: PgQueryModule, sql: string): ParseResult {
  const bytes = module.lengthBytesUTF8(sql) + 1;
  const query = module._malloc(bytes);
  module.stringToUTF8(sql, query, bytes);
  const result = module._wasm_parse_query_raw(query);
  const error = module.getValue(result + ERROR_FIELD, "i32");
  // Freed on the way out of every normal end; after an overrun the whole instance goes.
  const outcome =
    error === 0
      ? module.UTF8ToString(module.getValue(result, "i32"))
      : syntaxError(
          module.UTF8ToString(module.getValue(error, "i32")),
          module.getValue(error + CURSOR_FIELD, "i32"),
        );
  module._free(query);
  module._wasm_free_parse_result(result);
  if (typeof outcome !== "string") throw outcome;
  return JSON.parse(outcome) as ParseResult;
}

function syntaxError(message: string, cursor: number): EvertError {
  if (message.startsWith("memory exhausted") || message.startsWith("stack depth")) return tooDeep();
  const position = cursor > 0 ? cursor : undefined;
  // The parser tells no SQLSTATE, and these are no errors of syntax to PostgreSQL.
  if (/^frame (?:start|end)/.test(message))
    return new EvertError("grouping_error", message, { position, sqlstate: "42P20" });
  if (/ not (?:yet )?implemented$|^only string constants are supported /.test(message))
    return new EvertError("feature_not_supported", message, { position });
  return new EvertError("syntax_error", message, { position });
}
