/** The methods of a jsonpath: .type(), .size(), .double() … `lax` takes a scalar for an array of it. */
import { parseFloat8 } from "../../../batch/format/float8.ts";
import { parseBool, parseInt4, parseInt8 } from "../../../batch/format/integer.ts";
import { parseNumeric } from "../../../batch/format/numeric.ts";
import { quoteJson } from "../../../batch/jsonb.ts";
import type { Step } from "../../../batch/jsonpath/tree.ts";
import {
  absDecimal,
  ceilDecimal,
  type Decimal,
  decimalFromText,
  decimalToText,
  FINITE,
  floorDecimal,
  rescaled,
} from "../decimal.ts";
import { attempt, fault, scalarError } from "../errors.ts";
import { elementsOf, kindOf, membersOf, unquoted } from "../json-text.ts";
import { PathFault, pathFault } from "./path-fault.ts";

const NON_NUMERIC = "22036";
const NO_ARRAY = "22039";
const NO_OBJECT = "2203C";

export function toDecimal(json: string): Decimal {
  return decimalFromText(json);
}

/** Reads the text, or null where it is none. */
function readable<T>(read: (text: string) => T, text: string): T | null {
  const value = attempt<string, T | null>(read, text, null);
  if (fault.error === null) return value;
  fault.error = null;
  return null;
}

function wrongArgument(argument: string, method: string, type: string): PathFault {
  return pathFault(
    NON_NUMERIC,
    `argument "${argument}" of jsonpath item method .${method}() is invalid for type ${type}`,
  );
}

function onlyFor(method: string, what: string): PathFault {
  return pathFault(NON_NUMERIC, `jsonpath item method .${method}() can only be applied to a ${what} value`);
}

/** `isRoot`: the item is the document itself. */
export function invoke(
  step: Step & { kind: "method" | "decimal" },
  item: string,
  lax: boolean,
  forgiving: boolean,
  isRoot: boolean,
): readonly string[] {
  if (step.kind === "decimal") return [decimalOf(item, step.precision, step.scale)];
  const kind = kindOf(item);
  switch (step.method) {
    case "type":
      return [quoteJson(kind, "")];
    case "size":
      if (kind === "array") return [String(elementsOf(item).length)];
      if (!lax && !forgiving)
        throw pathFault(NO_ARRAY, "jsonpath item method .size() can only be applied to an array");
      return ["1"];
    case "abs":
    case "floor":
    case "ceiling": {
      if (kind !== "number") throw onlyFor(step.method, "numeric");
      const of = { abs: absDecimal, floor: floorDecimal, ceiling: ceilDecimal }[step.method];
      return [decimalToText(of(toDecimal(item)))];
    }
    case "double":
      return [doubleOf(item)];
    case "bigint":
      return [integerOf(item, "bigint", "bigint", (text) => parseInt8(text))];
    case "integer":
      return [integerOf(item, "integer", "integer", (text) => parseInt4(text))];
    case "number":
      return [numberOf(item, "number")];
    case "boolean":
      return [String(booleanOf(item))];
    case "string":
      if (kind === "string") return [item];
      if (kind === "number" || kind === "boolean") return [quoteJson(item, "")];
      throw onlyFor("string", "boolean, string, numeric, or datetime");
    case "keyvalue":
      return keyValues(item, isRoot);
  }
}

function keyValues(item: string, isRoot: boolean): string[] {
  if (kindOf(item) !== "object")
    throw pathFault(NO_OBJECT, "jsonpath item method .keyvalue() can only be applied to an object");
  const members = membersOf(item);
  if (!isRoot && members.length > 0) {
    // Its id tells where PostgreSQL's binary form has the object.
    const error = scalarError(
      "feature_not_supported",
      "jsonpath item method .keyvalue() of an inner object is not supported yet",
    );
    throw new PathFault(error, true);
  }
  return members.map(([key, value]) => `{"id": 0, "key": ${quoteJson(key, "")}, "value": ${value}}`);
}

function doubleOf(item: string): string {
  const kind = kindOf(item);
  if (kind !== "number" && kind !== "string") throw onlyFor("double", "string or numeric");
  const text = kind === "string" ? unquoted(item) : item;
  const value = readable(parseFloat8, text);
  if (value === null) throw wrongArgument(text, "double", "double precision");
  if (!Number.isFinite(value))
    throw pathFault(NON_NUMERIC, "NaN or Infinity is not allowed for jsonpath item method .double()");
  if (kind === "number") return item;
  return parseNumeric(value.toPrecision(15).replace(/(\.\d*?)0+(?=e|$)/, "$1"));
}

function integerOf(
  item: string,
  method: string,
  type: string,
  read: (text: string) => bigint | number,
): string {
  const kind = kindOf(item);
  if (kind !== "number" && kind !== "string") throw onlyFor(method, "string or numeric");
  const text = kind === "string" ? unquoted(item) : item;
  const value = readable(read, kind === "string" ? text : wholeText(item));
  if (value === null) throw wrongArgument(text, method, type);
  return String(value);
}

function wholeText(item: string): string {
  const { unscaled, scale } = toDecimal(item);
  return String(rescaled(unscaled, scale, 0));
}

function numberOf(item: string, method: string): string {
  const kind = kindOf(item);
  if (kind !== "number" && kind !== "string") throw onlyFor(method, "string or numeric");
  if (kind === "number") return item;
  const text = unquoted(item);
  const read = readable(parseNumeric, text);
  if (read === null) throw wrongArgument(text, method, "numeric");
  if (toDecimal(read).kind !== FINITE)
    throw pathFault(NON_NUMERIC, `NaN or Infinity is not allowed for jsonpath item method .${method}()`);
  return read;
}

function decimalOf(item: string, precision: number | null, scale: number | null): string {
  const read = numberOf(item, "decimal");
  if (precision === null) return read;
  const message =
    precision < 1 || precision > 1000
      ? `NUMERIC precision ${precision} must be between 1 and 1000`
      : scale !== null && (scale < -1000 || scale > 1000)
        ? `NUMERIC scale ${scale} must be between -1000 and 1000`
        : null;
  if (message !== null) throw new PathFault(scalarError("invalid_argument", message), false);
  const type = { name: "numeric", precision, scale: scale ?? 0 } as const;
  const fitted = readable((text: string) => parseNumeric(text, type), read);
  if (fitted === null)
    throw wrongArgument(kindOf(item) === "string" ? unquoted(item) : item, "decimal", "numeric");
  return fitted;
}

function booleanOf(item: string): boolean {
  const kind = kindOf(item);
  if (kind === "boolean") return item === "true";
  if (kind !== "number" && kind !== "string") throw onlyFor("boolean", "boolean, string, or numeric");
  const text = kind === "string" ? unquoted(item) : item;
  const value =
    kind === "string" ? readable(parseBool, text) : readable((t: string) => parseInt4(t) !== 0, text);
  if (value === null) throw wrongArgument(text, "boolean", "boolean");
  return value;
}
