/**
 * Schemas that writers bring: Avro's JSON, checked and taken apart by avsc, as plain nodes.
 *
 * avsc is loaded when the first one comes. What is given to it is bounded before: it goes down into a schema by recursion, and makes code for every record.
 */
import { EvertError, toEvertError } from "../../base/errors.ts";

export type Primitive = "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string";

/** A schema. Of one that names itself the nodes go in a circle. */
export type AvroNode =
  | { readonly kind: Primitive; readonly logical: Logical | null }
  | { readonly kind: "fixed"; readonly size: number; readonly logical: Logical | null }
  | { readonly kind: "enum"; readonly symbols: readonly string[] }
  | { readonly kind: "array"; readonly items: AvroNode }
  | { readonly kind: "map"; readonly items: AvroNode }
  | { readonly kind: "record"; readonly name: string; readonly fields: readonly AvroField[] }
  | { readonly kind: "union"; readonly branches: readonly AvroNode[] };

export interface AvroField {
  readonly name: string;
  readonly type: AvroNode;
}

/** What a type says of the meaning of its values. */
export interface Logical {
  readonly name: string;
  readonly precision: number;
  readonly scale: number;
}

export const SCHEMA_CHARS_MAX = 256 * 1024;
const DEPTH_MAX = 64;
/** No number that is taken has as many. */
const DIGITS_MAX = 10_000;

const LOGICAL_NAMES = [
  "decimal",
  "uuid",
  "date",
  "time-millis",
  "time-micros",
  "timestamp-millis",
  "timestamp-micros",
  "timestamp-nanos",
  "local-timestamp-millis",
  "local-timestamp-micros",
  "local-timestamp-nanos",
];

type Avsc = typeof import("avsc");
type AvscType = import("avsc").Type;

let loading: Promise<(json: unknown) => AvscType> | null = null;

/** Parses a schema. @throws EvertError invalid_value: what is wrong with it. */
export async function parseSchema(text: string): Promise<AvroNode> {
  return nodeOf(await avscTypeOf(text), new Map());
}

/** Identical for schemas that say the same: whatever the order of properties, the blanks, and what is said of it beyond Avro. */
export async function canonicalSchema(text: string): Promise<string> {
  return JSON.stringify((await avscTypeOf(text)).schema({ exportAttrs: true }));
}

async function avscTypeOf(text: string): Promise<AvscType> {
  if (text.length > SCHEMA_CHARS_MAX)
    throw bad(`it is longer than ${SCHEMA_CHARS_MAX} characters`, undefined);
  checkDepth(text);
  loading ??= load();
  const typeOf = await loading;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    // A name alone is a schema, too, and some write it without quotes.
    if (!/^[a-z]+$/.test(text.trim())) throw bad(toEvertError(error).message, error);
    json = text.trim();
  }
  try {
    return typeOf(json);
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error), error);
  }
}

async function load(): Promise<(json: unknown) => AvscType> {
  const module = (await import("avsc")) as unknown as { default?: Avsc } & Avsc;
  const { Type, types } = module.default ?? module;
  /** Keeps what the schema says, and the values as they are. */
  class Said extends types.LogicalType {
    readonly said: { logicalType?: unknown; precision?: unknown; scale?: unknown };

    constructor(schema: ConstructorParameters<typeof types.LogicalType>[0], opts?: unknown) {
      super(schema, opts);
      this.said = schema as Said["said"];
    }

    protected override _export(attributes: unknown): void {
      const { logicalType, precision, scale } = this.said;
      Object.assign(attributes as object, { logicalType, precision, scale });
    }

    protected override _fromValue(value: unknown): unknown {
      return value;
    }

    protected override _toValue(value: unknown): unknown {
      return value;
    }
  }
  const said = Said as unknown as typeof types.LogicalType;
  const logicalTypes = Object.fromEntries(LOGICAL_NAMES.map((name) => [name, said]));
  return (json) =>
    Type.forSchema(json as Parameters<typeof Type.forSchema>[0], {
      logicalTypes,
      wrapUnions: "always",
      omitRecordMethods: true,
      // Without what every object inherits: "constructor" names no type.
      registry: Object.create(null) as Record<string, AvscType>,
    });
}

/** What avsc's types have; its own declarations leave some of it out. */
interface Parsed {
  readonly typeName: string;
  readonly name?: string;
  readonly said?: { logicalType?: unknown; precision?: unknown; scale?: unknown };
  readonly underlyingType?: Parsed;
  readonly size?: number;
  readonly symbols?: readonly string[];
  readonly itemsType?: Parsed;
  readonly valuesType?: Parsed;
  readonly types?: readonly Parsed[];
  readonly fields?: readonly { readonly name: string; readonly type: Parsed }[];
}

function nodeOf(given: unknown, known: Map<unknown, AvroNode>): AvroNode {
  const made = known.get(given);
  if (made !== undefined) return made;
  const type = given as Parsed;
  const logical = type.said === undefined ? null : logicalOf(type.said);
  const plain = type.said === undefined ? type : (type.underlyingType as Parsed);
  const keep = <N extends AvroNode>(node: N): N => {
    known.set(given, node);
    return node;
  };
  switch (plain.typeName) {
    case "null":
    case "boolean":
    case "int":
    case "long":
    case "float":
    case "double":
    case "bytes":
    case "string":
      return keep({ kind: plain.typeName, logical });
    case "fixed":
      return keep({ kind: "fixed", size: plain.size as number, logical });
    case "enum":
      return keep({ kind: "enum", symbols: plain.symbols as readonly string[] });
    case "array":
      return keep({ kind: "array", items: nodeOf(plain.itemsType, known) });
    case "map":
      return keep({ kind: "map", items: nodeOf(plain.valuesType, known) });
    case "union:wrapped":
      return keep({ kind: "union", branches: (plain.types ?? []).map((branch) => nodeOf(branch, known)) });
    case "record":
    case "error": {
      const fields: AvroField[] = [];
      const node = keep({ kind: "record", name: plain.name ?? "", fields });
      for (const { name, type: of } of plain.fields ?? []) fields.push({ name, type: nodeOf(of, known) });
      return node;
    }
  }
  throw bad(`there is no type ${JSON.stringify(plain.typeName)}`, undefined);
}

/** A decimal that cannot be one is none: Avro takes the type beneath it then. */
function logicalOf({ logicalType, precision, scale = 0 }: NonNullable<Parsed["said"]>): Logical | null {
  const name = String(logicalType);
  if (name !== "decimal") return { name, precision: 0, scale: 0 };
  if (!isWhole(precision, 1, DIGITS_MAX) || !isWhole(scale, 0, precision)) return null;
  return { name, precision, scale };
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

/** Brackets within brackets, as the text has them. */
function checkDepth(text: string): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === "\\") i++;
    } else if (char === "{" || char === "[") {
      if (++depth > 3 * DEPTH_MAX) throw bad("it is nested too deeply", undefined);
    } else if (char === "}" || char === "]") depth--;
  }
}

function bad(detail: string, cause: unknown): EvertError {
  return new EvertError("invalid_value", "not an Avro schema", { detail, cause });
}
