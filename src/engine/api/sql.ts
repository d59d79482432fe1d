/** Requests in SQL, and what is told of them. Types only. */
import type { ErrorBody } from "../../base/errors.ts";
import type { SqlColumn } from "../../batch/sql-answer.ts";
import type { ReadOptions } from "./views.ts";

/** One statement's answer. `rows` are encoded lazily: `json` as to_jsonb prints them, `text` as PostgreSQL's text output. */
export interface StatementResult {
  /** PostgreSQL's command tag: "SELECT 3", "INSERT 0 1", "CREATE TABLE". */
  readonly command: string;
  readonly columns: readonly SqlColumn[];
  readonly rowCount: number;
  /** Each row a JSON array text, e.g. `[1,"a",null]`. */
  readonly rowsJson: readonly string[];
  /**
   * The same one by one, each made when it is taken; as text, its values are strings in PostgreSQL's text output, or null; as objects, each an
   * object's text.
   */
  rowTexts(form: "json" | "text" | "objects"): Iterable<string>;
  /** Each row's values as PostgreSQL's text output or null. */
  rowsText(): (string | null)[][];
  /** Each row's values as a program has them (docs/TYPES.md). */
  values(): unknown[][];
}

/** The answer to a request's last statement, whose rows are made as they are taken. */
export interface FlowingResult {
  readonly columns: readonly SqlColumn[];
  /** How many have been made so far. */
  readonly rowCount: number;
  /** PostgreSQL's command tag: of the rows made so far. */
  readonly command: string;
  /**
   * All rows, each as `write` takes it: a JSON array text, or, of `objects`, an object's, as in StatementResult. To be asked for once, and read to
   * its end or returned. @throws EvertError of what reads them; what the request's signal was aborted with.
   */
  pieces(
    form: "json" | "text" | "objects",
    write: (row: string) => string,
  ): AsyncGenerator<string, void, undefined>;
  /** Nothing more of it is wanted. */
  close(): void;
}

/** The answers to the statements of a request, up to the first that failed. */
export interface SqlResponse {
  readonly results: readonly StatementResult[];
  /** Where it was asked for, the last answer, if that has rows: it comes after the results, and is to be read or closed. */
  readonly flowing?: FlowingResult;
  /** Set when statement results.length failed; those before it stand. */
  readonly error?: ErrorBody & { readonly status: number };
  readonly position: string;
}

/** Parameters of a request in SQL, and what it waits for. */
export interface SqlOptions extends ReadOptions {
  /** $1, $2 ...: JSON values. */
  readonly params?: readonly unknown[] | undefined;
  /** Stops long queries. */
  readonly signal?: AbortSignal | undefined;
  /** The rows of a SELECT that is the last statement are not in its result: they are made as they are taken, and may be any number. Default false. */
  readonly flowing?: boolean | undefined;
  /** More than one statement is refused. Default false. */
  readonly single?: boolean | undefined;
}

/** COPY … FROM STDIN, taking its text. Nothing is stored before finish(). */
export interface CopyIn {
  readonly direction: "in";
  /** @throws EvertError of the line that cannot be read; request_too_large. */
  write(bytes: Uint8Array): Promise<void>;
  finish(): Promise<{ readonly position: string; readonly rowCount: number; readonly command: string }>;
}

/** COPY … TO STDOUT, giving its text. */
export interface CopyOut {
  readonly direction: "out";
  readonly position: string;
  readonly format: "text" | "csv";
  /** Made as they are taken. REQUIRES that it is begun, and read to the end or returned: until then rows are held for it. */
  readonly pieces: AsyncGenerator<string, void, undefined>;
}
