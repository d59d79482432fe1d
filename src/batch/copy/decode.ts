/**
 * What COPY … FROM STDIN is sent, as rows: pieces of bytes in, fields with their line numbers out. It holds one line and nothing else.
 *
 *   lines (lines.ts)  >  fields (fields.ts)  >  counted against the columns
 */
import { EvertError } from "../../base/errors.ts";
import { type CopyFields, copyFields } from "./fields.ts";
import type { CopyFormat } from "./format.ts";
import { CopyLines } from "./lines.ts";

/** Of a value or a line that an error shows. */
const SHOWN_MAX = 100;

export interface CopyTarget {
  readonly table: string;
  readonly columns: readonly string[];
}

export interface CopyRow {
  /** May be fewer than there are columns: which is missing is said once those before it have been read. */
  readonly fields: CopyFields;
  readonly line: number;
  readonly text: string;
}

export class CopyDecoder {
  readonly #format: CopyFormat;
  readonly #target: CopyTarget;
  readonly #lines: CopyLines;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true });
  #header: boolean;

  constructor(format: CopyFormat, target: CopyTarget) {
    this.#format = format;
    this.#target = target;
    this.#lines = new CopyLines(format);
    this.#header = format.header !== false;
  }

  /** The rows that are whole with this piece. @throws EvertError bad_copy_format, untranslatable_character. */
  *push(bytes: Uint8Array): Generator<CopyRow> {
    this.#lines.push(this.#decoded(bytes));
    yield* this.#rows(false);
  }

  *end(): Generator<CopyRow> {
    this.#lines.push(this.#decoded(null));
    yield* this.#rows(true);
  }

  #decoded(bytes: Uint8Array | null): string {
    try {
      return bytes === null ? this.#utf8.decode() : this.#utf8.decode(bytes, { stream: true });
    } catch (cause) {
      throw new EvertError("untranslatable_character", 'invalid byte sequence for encoding "UTF8"', {
        sqlstate: "22021",
        cause,
      });
    }
  }

  *#rows(last: boolean): Generator<CopyRow> {
    for (;;) {
      const text = this.#next(last);
      if (text === null) return;
      const line = this.#lines.number;
      try {
        const fields = copyFields(text, this.#format);
        if (this.#header) this.#meetHeader(fields);
        else {
          if (fields.length > this.#target.columns.length)
            throw new EvertError("bad_copy_format", "extra data after last expected column");
          yield { fields, line, text };
        }
      } catch (error) {
        throw inCopy(error, this.#target, line, text);
      }
      this.#header = false;
    }
  }

  #next(last: boolean): string | null {
    try {
      return this.#lines.next(last);
    } catch (error) {
      throw inCopy(error, this.#target, this.#lines.number);
    }
  }

  #meetHeader(names: CopyFields): void {
    if (this.#format.header !== "match") return;
    const { columns } = this.#target;
    if (names.length !== columns.length) {
      throw new EvertError(
        "bad_copy_format",
        `wrong number of fields in header line: got ${names.length}, expected ${columns.length}`,
      );
    }
    const wrong = columns.findIndex((column, i) => names[i] !== column);
    if (wrong < 0) return;
    throw new EvertError(
      "bad_copy_format",
      `column name mismatch in header line field ${wrong + 1}: got ${names[wrong] === null ? "null value" : `"${names[wrong]}"`}, expected "${columns[wrong]}"`,
    );
  }
}

/** The error with PostgreSQL's context as its detail: where in the data it is, and what stands there. */
export function inCopy(
  error: unknown,
  { table }: CopyTarget,
  line: number,
  text?: string,
  column?: string,
): unknown {
  if (!(error instanceof EvertError)) return error;
  const shown =
    text === undefined ? "" : `: "${text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text}"`;
  const context = `COPY ${table}, line ${line}${column === undefined ? "" : `, column ${column}`}${shown}`;
  return new EvertError(error.code, error.message, {
    detail: error.detail === undefined ? context : `${error.detail}\n${context}`,
    hint: error.hint,
    sqlstate: error.sqlstate,
    cause: error,
  });
}
