/**
 * The one error class of Evert, and the closed list of its codes.
 *
 * Layers switch on `code`, never on English text. Each code carries PostgreSQL's SQLSTATE (so that every
 * wire speaks the same language), the HTTP status it maps to, and whether the same request may succeed
 * when it is simply sent again.
 */

interface CodeFacts {
  readonly sqlstate: string;
  readonly status: number;
  readonly retryable: boolean;
}

function facts(sqlstate: string, status: number, retryable = false): CodeFacts {
  return { sqlstate, status, retryable };
}

/** Every code there is. Adding one here is the only way to make a new kind of error. */
export const errorCodes = {
  // what the caller asked for cannot be read
  syntax_error: facts("42601", 400),
  feature_not_supported: facts("0A000", 400),
  invalid_request: facts("22023", 400),
  protocol_violation: facts("08P01", 400),
  // names
  undefined_table: facts("42P01", 404),
  undefined_column: facts("42703", 400),
  undefined_function: facts("42883", 400),
  undefined_object: facts("42704", 400),
  duplicate_table: facts("42P07", 409),
  duplicate_column: facts("42701", 400),
  duplicate_function: facts("42723", 409),
  ambiguous_column: facts("42702", 400),
  ambiguous_function: facts("42725", 400),
  wrong_object_type: facts("42809", 400),
  dependent_objects: facts("2BP01", 409),
  invalid_name: facts("42602", 400),
  // types and values
  datatype_mismatch: facts("42804", 400),
  indeterminate_datatype: facts("42P18", 400),
  cannot_coerce: facts("42846", 400),
  grouping_error: facts("42803", 400),
  invalid_column_reference: facts("42P10", 400),
  invalid_table_definition: facts("42P16", 400),
  invalid_text_representation: facts("22P02", 400),
  numeric_value_out_of_range: facts("22003", 400),
  division_by_zero: facts("22012", 400),
  bad_copy_format: facts("22P04", 400),
  invalid_datetime: facts("22007", 400),
  datetime_overflow: facts("22008", 400),
  string_too_long: facts("22001", 400),
  invalid_escape: facts("22025", 400),
  invalid_regular_expression: facts("2201B", 400),
  invalid_argument: facts("22023", 400),
  untranslatable_character: facts("22P05", 400),
  invalid_row_count: facts("2201W", 400),
  not_null_violation: facts("23502", 400),
  unique_violation: facts("23505", 409),
  check_violation: facts("23514", 409),
  cardinality_violation: facts("21000", 400),
  invalid_value: facts("22000", 400),
  // functions of the user
  function_failed: facts("38000", 400),
  // records and requests
  record_too_large: facts("54000", 413),
  request_too_large: facts("54000", 413),
  /** It has no room below the memory limit, and has none when it comes again. */
  commit_too_large: facts("53200", 413),
  statement_too_complex: facts("54001", 400),
  recursion_limit: facts("54000", 400),
  view_limit: facts("54000", 400),
  too_many_columns: facts("54011", 400),
  idempotency_conflict: facts("23505", 422),
  not_found: facts("02000", 404),
  records_gone: facts("58P01", 410),
  conflict: facts("40001", 409),
  /** Who sends it has been followed by a newer instance. */
  fenced: facts("55000", 403),
  /** What comes before it has not been stored. */
  out_of_sequence: facts("55000", 409),
  // leaders and followers
  not_leader: facts("25006", 409),
  diverged: facts("55000", 409),
  // running
  unauthorized: facts("28000", 401),
  forbidden: facts("42501", 403),
  timeout: facts("57014", 504, true),
  not_ready: facts("57P03", 503, true),
  too_many_requests: facts("53300", 429, true),
  out_of_memory: facts("53200", 503, true),
  disk_full: facts("53100", 503, true),
  too_many_files: facts("53000", 503, true),
  shutting_down: facts("57P01", 503, true),
  connection_failed: facts("08006", 503, true),
  // the data directory
  directory_locked: facts("55006", 503),
  io_error: facts("58030", 503),
  log_damaged: facts("XX001", 503),
  format_unsupported: facts("XX000", 503),
  // views
  view_failed: facts("55000", 409),
  nondeterministic_view: facts("XX000", 409),
  internal: facts("XX000", 500),
} as const satisfies Record<string, CodeFacts>;

/** What went wrong: a code of the closed list in docs/ERRORS.md. */
export type ErrorCode = keyof typeof errorCodes;

export interface ErrorFields {
  /** Why it happened, in one sentence. */
  readonly detail?: string | undefined;
  /** What to do about it, in one sentence. */
  readonly hint?: string | undefined;
  /** 1-based character offset into the SQL text, where there is one. */
  readonly position?: number | undefined;
  readonly cause?: unknown;
  /** Overrides the code's SQLSTATE where PostgreSQL is finer than our codes. */
  readonly sqlstate?: string | undefined;
}

/** The JSON form of an error, as every wire sends it. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly position?: number;
}

/** What Evert throws: a code of the closed list, its SQLSTATE, a message and, where there is more to say, a detail and a hint. */
export class EvertError extends Error {
  readonly code: ErrorCode;
  readonly sqlstate: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly position: number | undefined;

  constructor(code: ErrorCode, message: string, fields: ErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = "EvertError";
    this.code = code;
    this.sqlstate = fields.sqlstate ?? errorCodes[code].sqlstate;
    this.detail = fields.detail;
    this.hint = fields.hint;
    this.position = fields.position;
  }

  /** HTTP status of this error's code. */
  get status(): number {
    return errorCodes[this.code].status;
  }

  /** Whether the same request may succeed when sent again unchanged. */
  get retryable(): boolean {
    return errorCodes[this.code].retryable;
  }

  static from({ code, message, ...fields }: ErrorBody): EvertError {
    return new EvertError(code, message, fields);
  }

  toJSON(): ErrorBody {
    const body: { -readonly [K in keyof ErrorBody]: ErrorBody[K] } = {
      code: this.code,
      sqlstate: this.sqlstate,
      message: this.message,
    };
    if (this.detail !== undefined) body.detail = this.detail;
    if (this.hint !== undefined) body.hint = this.hint;
    if (this.position !== undefined) body.position = this.position;
    return body;
  }
}

/** Any thrown value as an EvertError; what is not one becomes `internal` with its cause kept. */
export function toEvertError(thrown: unknown): EvertError {
  if (thrown instanceof EvertError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new EvertError("internal", message, { cause: thrown });
}

/** SQL that is legal in PostgreSQL but not here yet: always 0A000, the construct's name, its place. */
export function notSupported(construct: string, position?: number, hint?: string): EvertError {
  return new EvertError("feature_not_supported", `${construct} is not supported yet`, { position, hint });
}
