/**
 * topic(), table(), view(): the handles a program declares, passes to open() and reads by.
 *
 * A handle is its name and its definition, frozen; it holds no connection and no state, so the same module serves the
 * database, the tests and, by type import, the browser.
 */
import { EvertError } from "../base/errors.ts";
import { fieldIndex, type Schema } from "../batch/schema.ts";
import { byteCount, durationUs, type Keeping, TOMBSTONES_FOR_US } from "../plan/keeping.ts";
import { Chain, type ChainNode, type Ordered, type Relation } from "./chain.ts";
import {
  checkName,
  type Declaration,
  type DeclaredInput,
  type DeclaredRow,
  isJsonSchema,
  type JsonSchema,
  schemaOfDeclaration,
} from "./columns.ts";
import type { SqlText } from "./sql-text.ts";

/** Marks handles, also those of another copy of this package. */
const handleMark = Symbol.for("evert.handle");

abstract class Handle<Row> extends Chain<Row> implements Relation {
  readonly [handleMark] = true;
  abstract readonly kind: "topic" | "table" | "view";
  readonly name: string;

  constructor(what: string, name: string) {
    checkName(what, name);
    // The node names the handle, which does not exist before super() has returned.
    const node: { kind: "source"; relation: Relation } = { kind: "source", relation: undefined as never };
    super(node);
    node.relation = this;
    Object.freeze(node);
    this.name = name;
  }
}

interface DecodingOptions {
  /** The stream topic that takes what cannot be decoded of appends, with the reason; without it such an append is refused. */
  readonly deadLetters?: string;
}

/** What a stream gives up of its history; nothing unless it is said. */
export interface RetentionOptions extends DecodingOptions {
  /** Records go when they are older: an interval in PostgreSQL's words, "7 days". */
  readonly retainFor?: string;
  /** The oldest go while those that stay take at least so many bytes of sealed segments: a number, or "10 GB". */
  readonly retainBytes?: number | string;
  /** Also where a view still depends on what goes. */
  readonly despiteViews?: boolean;
}

/** What a table gives up of its history; nothing unless it is said. */
export interface CompactionOptions extends DecodingOptions {
  /** Of each key only the last record stays; a tombstone for a day, or for as long as is said. */
  readonly compact?: boolean | { readonly tombstonesFor: string };
  /** Also where a view still asks for rows as they were. */
  readonly despiteViews?: boolean;
}

function keepingOf(options: RetentionOptions & CompactionOptions): Keeping | undefined {
  const { retainFor, retainBytes, compact = false, despiteViews = false } = options;
  const keeping: Keeping = {
    ...(retainFor === undefined ? {} : { retainForUs: durationUs("retainFor", retainFor) }),
    ...(retainBytes === undefined ? {} : { retainBytes: byteCount("retainBytes", String(retainBytes)) }),
    ...(compact === false
      ? {}
      : {
          tombstonesForUs:
            compact === true ? TOMBSTONES_FOR_US : durationUs("tombstonesFor", compact.tombstonesFor),
        }),
    ...(despiteViews ? { despiteViews } : {}),
  };
  return Object.keys(keeping).length === 0 ? undefined : Object.freeze(keeping);
}

/** A stream of facts: every record is kept, unless its retention says otherwise. */
export class Topic<Row, Input = Row> extends Handle<Row> {
  readonly kind = "topic";
  readonly schema: Schema;
  /** The Standard Schema it was declared with, to check records by; null for plain columns. */
  readonly standard: JsonSchema | null;
  /** Never there: carries what may be appended. */
  declare readonly $input?: Input;
  readonly keeping: Keeping | undefined;
  readonly deadLetters: string | null;

  constructor(name: string, declaration: Declaration, retention: RetentionOptions = {}) {
    super("topic", name);
    this.deadLetters = retention.deadLetters ?? null;
    this.keeping = keepingOf(retention);
    this.schema = schemaOfDeclaration(declaration);
    this.standard = isJsonSchema(declaration) ? declaration : null;
    Object.freeze(this);
  }
}

/** A keyed topic: the latest record of each key is its row. */
export class Table<Row, Input = Row> extends Handle<Row> {
  readonly kind = "table";
  readonly schema: Schema;
  readonly key: readonly string[];
  readonly standard: JsonSchema | null;
  /** Never there: carries what may be appended. */
  declare readonly $input?: Input;
  readonly keeping: Keeping | undefined;
  readonly deadLetters: string | null;

  constructor(
    name: string,
    declaration: Declaration,
    key: readonly string[],
    compaction: CompactionOptions = {},
  ) {
    super("table", name);
    this.deadLetters = compaction.deadLetters ?? null;
    this.keeping = keepingOf(compaction);
    this.schema = schemaOfDeclaration(declaration);
    this.standard = isJsonSchema(declaration) ? declaration : null;
    this.key = Object.freeze([...key]);
    checkKey(name, this.schema, this.key);
    Object.freeze(this);
  }
}

function checkKey(name: string, schema: Schema, key: readonly string[]): void {
  const refuse = (message: string, hint: string) => {
    throw new EvertError("invalid_table_definition", message, { hint });
  };
  if (key.length === 0)
    refuse(`table "${name}" has no key`, "Name its key columns, or declare a topic instead.");
  key.forEach((column, i) => {
    const field = schema.fields[fieldIndex(schema, column)];
    const columns = schema.fields.map((f) => f.name).join(", ");
    if (field === undefined)
      refuse(`key column "${column}" of table "${name}" does not exist`, `It has ${columns}.`);
    if (field?.nullable)
      refuse(
        `key column "${column}" of table "${name}" may be null`,
        "A key is never null: declare it required.",
      );
    if (key.indexOf(column) !== i)
      refuse(`key column "${column}" of table "${name}" is named twice`, "Name it once.");
  });
}

export interface ViewOptions {
  /** "skip" leaves rows out whose expressions fail, and counts them. Otherwise reads of the view fail until they are corrected. */
  readonly onError?: "skip";
  /** Change it to rebuild the view when something changed that its functions use but do not contain. */
  readonly version?: string;
  /**
   * The topic its rows are appended to: upserts and tombstones of a table with the view's key, the new rows of a view that only adds some for a
   * stream. Nobody else may write it.
   */
  readonly sink?: AnyTopic;
}

export type ViewDefinition =
  | { readonly kind: "chain"; readonly node: ChainNode }
  | Pick<SqlText<unknown>, "kind" | "text" | "params" | "relations" | "at">;

/** A query kept up to date. */
export class View<Row> extends Handle<Row> {
  readonly kind = "view";
  readonly definition: ViewDefinition;
  readonly options: ViewOptions;

  constructor(name: string, definition: ViewDefinition, options: ViewOptions) {
    super("view", name);
    this.definition = definition;
    this.options = Object.freeze({ ...options });
    Object.freeze(this);
  }
}

/** A stream topic: `topic("plays", { schema: z.object({ song_id: z.int(), duration: z.int() }) })`. */
export function topic<D extends Declaration>(
  name: string,
  declared: { readonly schema: D } & RetentionOptions,
): Topic<DeclaredRow<D>, DeclaredInput<D>> {
  checkSchema("topic", name, declared?.schema);
  const { schema, ...retention } = declared;
  return new Topic(name, schema, retention);
}

/** A table topic: `table("songs", { key: "id", schema: { id: int4, name: text } })`. */
export function table<D extends Declaration>(
  name: string,
  declared: { readonly key: KeyOf<D> | readonly KeyOf<D>[]; readonly schema: D } & CompactionOptions,
): Table<DeclaredRow<D>, DeclaredInput<D>> {
  checkSchema("table", name, declared?.schema);
  const { key, schema, ...compaction } = declared;
  const columns = typeof key === "string" ? [key] : ((key ?? []) as readonly string[]);
  return new Table(name, schema, columns, compaction);
}

/** Programs in JavaScript are told by nobody else. */
function checkSchema(what: string, name: string, schema: unknown): void {
  if ((typeof schema === "object" || typeof schema === "function") && schema !== null) return;
  throw new EvertError("invalid_table_definition", `${what} "${name}" has no schema`, {
    hint: "Write for example { schema: { id: int4, name: text } }, or a Standard Schema such as z.object({ ... }).",
  });
}

type KeyOf<D> = keyof DeclaredRow<D> & string;

/** A view: a chain of operators, or sql`…`. */
export function view<Row>(
  name: string,
  definition: Chain<Row> | Ordered<Row> | SqlText<Row>,
  options: ViewOptions = {},
): View<Row> {
  if (
    typeof definition !== "object" ||
    definition === null ||
    !("node" in definition || "relations" in definition)
  ) {
    throw new EvertError("invalid_argument", `view "${name}" has no definition`, {
      hint: "Give it a chain, as in songs.filter((s) => s.id > 1), or sql`SELECT ...`.",
    });
  }
  if ("node" in definition) {
    return new View(name, { kind: "chain", node: definition.node }, options);
  }
  return new View(name, definition, options);
}

export type AnyTopic = Topic<unknown, unknown> | Table<unknown, unknown>;
export type AnyView = View<unknown>;
export type AnyHandle = AnyTopic | AnyView;

export function isHandle(value: unknown): value is AnyHandle {
  return typeof value === "object" && value !== null && handleMark in value;
}
