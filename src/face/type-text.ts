/**
 * What a type in the text of a program says of an object's properties: as much of TypeScript as row types are written in.
 *
 *   Type = [ "|" ] Inter { "|" Inter } .      Inter = Postfix { "&" Postfix } .      Postfix = Primary { "[" "]" } .
 *   Primary = "{" { [ "readonly" ] name [ "?" ] ":" Type ( ";" | "," ) } "}" | "(" Type ")" | literal | name [ "<" … ">" ] .
 *
 * A name is looked for in the same text, as an interface or a type (program-code.ts). Whatever else stands somewhere says nothing of that place: it is not an error.
 */
import { codeOf, declarationOf } from "./program-code.ts";

/** What `typeof` gives for a property's values, null among them; null: nothing is known of them. */
export type Kinds = ReadonlySet<string> | null;

export interface PropertyType {
  readonly kinds: Kinds;
  readonly optional: boolean;
}

interface TypeShape {
  readonly kinds: Kinds;
  /** Of an object: those that are known. */
  readonly properties: ReadonlyMap<string, PropertyType>;
}

const UNKNOWN: TypeShape = { kinds: null, properties: new Map() };
const KEYWORDS = new Set(["string", "number", "boolean", "bigint", "null", "undefined"]);
const TOKEN =
  /\s*(?:(\/\/[^\n]*|\/\*[\s\S]*?\*\/)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(-?\d[\w.]*)|([\p{ID_Start}$_][\p{ID_Continue}$.]*)|(=>|.))/uy;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
/** Names in names: a type that speaks of itself ends somewhere. */
const DEPTH_MAX = 16;

/** The properties of the object type `text`, whose names are declared in `program`. */
export function propertiesOf(text: string, program: string): ReadonlyMap<string, PropertyType> {
  return new Reader(text, program, 0).type().properties;
}

/**
 * The type argument that ends before the template at `backtick`: of sql<T>`…` the T; null when there is none.
 */
export function typeArgumentBefore(program: string, backtick: number): string | null {
  const code = codeOf(program);
  if (code[backtick] !== "`") return null;
  let at = backtick - 1;
  while (at >= 0 && /\s/.test(code[at] as string)) at--;
  if (code[at] !== ">") return null;
  const end = at;
  for (let open = 0; at >= 0; at--) {
    const c = code[at] as string;
    if (c === ">" && code[at - 1] === "=") at--;
    else if (c === ">" || c === "}" || c === ")" || c === "]") open++;
    else if (c === "<" || c === "{" || c === "(" || c === "[") open--;
    if (open === 0) return c === "<" ? program.slice(at + 1, end) : null;
  }
  return null;
}

class Reader {
  readonly #program: string;
  readonly #depth: number;
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string, program: string, depth: number) {
    this.#program = program;
    this.#depth = depth;
    TOKEN.lastIndex = 0;
    for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
      const [, comment, ...tokens] = match;
      if (comment === undefined) this.#tokens.push(tokens.find((token) => token !== undefined) as string);
    }
  }

  type(): TypeShape {
    this.#take("|");
    let shape = this.#intersection();
    while (this.#take("|")) {
      const other = this.#intersection();
      // Of a choice of objects nothing is known but that it is one.
      const kinds =
        shape.kinds === null || other.kinds === null ? null : new Set([...shape.kinds, ...other.kinds]);
      shape = { kinds, properties: new Map() };
    }
    // A extends B ? C : D, which is neither.
    return this.#peek() === "extends" ? UNKNOWN : shape;
  }

  #intersection(): TypeShape {
    let shape = this.#postfix();
    while (this.#take("&")) {
      const other = this.#postfix();
      shape = { kinds: null, properties: new Map([...shape.properties, ...other.properties]) };
    }
    return shape;
  }

  #postfix(): TypeShape {
    let shape = this.#primary();
    while (this.#take("[")) {
      // T[], or T["name"], of which nothing is known here.
      while (this.#peek() !== undefined && !this.#take("]")) this.#at++;
      shape = UNKNOWN;
    }
    return shape;
  }

  #primary(): TypeShape {
    const token = this.#tokens[this.#at++];
    if (token === undefined) return UNKNOWN;
    if (token === "{") return this.#object();
    if (token === "(") {
      const shape = this.type();
      this.#take(")");
      return shape;
    }
    if (token === "readonly") return this.#primary();
    if (token === "true" || token === "false") return kind("boolean");
    if (KEYWORDS.has(token)) return kind(token);
    if (token.startsWith('"') || token.startsWith("'")) return kind("string");
    if (/^-?\d/.test(token)) return kind(token.endsWith("n") ? "bigint" : "number");
    if (this.#peek() === "<") {
      this.#skip("<", ">");
      return UNKNOWN;
    }
    return this.#named(token);
  }

  #object(): TypeShape {
    const properties = new Map<string, PropertyType>();
    while (this.#peek() !== undefined && !this.#take("}")) {
      if (this.#take(";") || this.#take(",")) continue;
      if (this.#peek() === "readonly" && this.#tokens[this.#at + 1] !== ":") this.#at++;
      const name = (this.#tokens[this.#at++] as string).replace(/^["'](.*)["']$/, "$1");
      const optional = this.#take("?");
      // A method or an index signature: no row type, and nothing of it is known.
      if (!this.#take(":")) return UNKNOWN;
      properties.set(name, { kinds: this.type().kinds, optional });
    }
    return { kinds: new Set(["object"]), properties };
  }

  #named(name: string): TypeShape {
    if (this.#depth >= DEPTH_MAX || !IDENTIFIER.test(name)) return UNKNOWN;
    const declared = declarationOf(name, this.#program);
    if (declared === null && name === "Date") return kind("object");
    if (declared === null || declared === undefined) return UNKNOWN;
    const read = (text: string): TypeShape => new Reader(text, this.#program, this.#depth + 1).type();
    const own = read(declared.text);
    if (declared.bases === null) return own;
    const bases = declared.bases.split(",").map(read);
    return {
      ...own,
      properties: new Map([...bases.flatMap((base) => [...base.properties]), ...own.properties]),
    };
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #skip(open: string, close: string): void {
    let depth = 0;
    do {
      const token = this.#tokens[this.#at++];
      if (token === undefined) return;
      if (token === open) depth++;
      else if (token === close) depth--;
    } while (depth > 0);
  }
}

function kind(name: string): TypeShape {
  return { kinds: new Set([name]), properties: new Map() };
}
