/** A value that does not fit, and where it stands: `records[3].price: expected a number, got a string`. */
import { type ErrorCode, type ErrorFields, EvertError } from "../base/errors.ts";

export class ValueError extends EvertError {
  /** Place of the value, such as `records[3].price`; empty at the top. */
  readonly path: string;
  /** The message without the path. */
  readonly reason: string;

  constructor(code: ErrorCode, path: string, reason: string, fields: ErrorFields = {}) {
    super(code, path === "" ? reason : `${path}: ${reason}`, fields);
    this.path = path;
    this.reason = reason;
  }
}

/**
 * The same error, one level further out: `price: ...` below `records[3]` is `records[3].price: ...`.
 * What is no EvertError is a bug and is handed back as it is.
 */
export function prefixPath(error: unknown, prefix: string): unknown {
  if (!(error instanceof EvertError) || prefix === "") return error;
  const inner = error instanceof ValueError ? error.path : "";
  const reason = error instanceof ValueError ? error.reason : error.message;
  return new ValueError(error.code, joinPath(prefix, inner), reason, {
    detail: error.detail,
    hint: error.hint,
    position: error.position,
    sqlstate: error.sqlstate,
    cause: error.cause,
  });
}

/** A property as a step of a path: `.name`, or `["odd name"]`. */
export function propertyStep(name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

function joinPath(prefix: string, inner: string): string {
  if (inner === "" || inner.startsWith("[")) return prefix + inner;
  return `${prefix}.${inner}`;
}

/** The step as the first of a path: without its leading dot. */
export function firstStep(step: string): string {
  return step.startsWith(".") ? step.slice(1) : step;
}

/** A value for a message: what it is, and itself while it is short. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `the string ${JSON.stringify(shorten(value))}`;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    case "undefined":
      return "nothing";
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return "an array";
      return value instanceof Date ? "a Date" : "an object";
  }
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
