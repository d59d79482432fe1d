/**
 * PostgreSQL's advanced regular expressions, read into a tree.
 *
 *   re     = branch ("|" branch)*            branch = (atom quantifier? | constraint)*
 *   atom   = "(" re ")" | "(?:" re ")" | "." | "[...]" | "\" escape | character
 *   quantifier = ("*" | "+" | "?" | "{m}" | "{m,}" | "{m,n}") "?"?
 *   constraint = "^" | "$" | \A \Z \m \M \y \Y | "(?=" re ")" | "(?!" re ")" | "(?<=" re ")" | "(?<!" re ")"
 *
 * In front may stand a director (***: or ***=) and options, (?i).
 */
import { caseVariants, classTest, isWord, type Test } from "./characters.ts";

export type Constraint =
  | "lineStart"
  | "lineEnd"
  | "start"
  | "end"
  | "wordStart"
  | "wordEnd"
  | "edge"
  | "noEdge";

export type Node =
  | { readonly kind: "empty" }
  | { readonly kind: "set"; readonly test: Test }
  | { readonly kind: "concat"; readonly items: readonly Node[] }
  | { readonly kind: "alternate"; readonly items: readonly Node[] }
  | {
      readonly kind: "repeat";
      readonly item: Node;
      readonly min: number;
      readonly max: number;
      /** null: {m}, which leaves the preference to its item. */
      readonly greedy: boolean | null;
    }
  | { readonly kind: "group"; readonly item: Node; readonly index: number }
  | { readonly kind: "constraint"; readonly constraint: Constraint }
  | { readonly kind: "look"; readonly ahead: boolean; readonly negative: boolean; readonly item: Node }
  | { readonly kind: "backreference"; readonly index: number };

export interface Options {
  readonly ignoreCase: boolean;
  /** Whether . and [^x] leave out newlines. */
  readonly dotStops: boolean;
  /** Whether ^ and $ also match at newlines. */
  readonly lineAnchors: boolean;
  readonly expanded: boolean;
  readonly literal: boolean;
}

export const plainOptions: Options = {
  ignoreCase: false,
  dotStops: false,
  lineAnchors: false,
  expanded: false,
  literal: false,
};

export interface Pattern {
  readonly root: Node;
  readonly groups: number;
  readonly hasBackreferences: boolean;
  readonly options: Options;
}

/** The pattern is none; the message is what stands behind "invalid regular expression: ". */
export class BadPattern extends Error {}

/** The pattern asks, by an embedded option, to be read as a basic regular expression. */
export class BasicPattern extends BadPattern {}

const REPEAT_MAX = 255;
const DEPTH_MAX = 500;

export function withFlag(options: Options, flag: string): Options | null {
  switch (flag) {
    case "i":
      return { ...options, ignoreCase: true };
    case "c":
      return { ...options, ignoreCase: false };
    case "m":
    case "n":
      return { ...options, dotStops: true, lineAnchors: true };
    case "p":
      return { ...options, dotStops: true, lineAnchors: false };
    case "w":
      return { ...options, dotStops: false, lineAnchors: true };
    case "s":
      return { ...options, dotStops: false, lineAnchors: false };
    case "x":
      return { ...options, expanded: true };
    case "t":
      return { ...options, expanded: false };
    case "q":
      return { ...options, literal: true };
    case "e":
      return options;
    default:
      return null;
  }
}

export function parsePattern(written: string, given: Options): Pattern {
  let options = given;
  let text = written;
  if (text.startsWith("***=")) {
    options = { ...options, literal: true };
    text = text.slice(4);
  } else if (text.startsWith("***:")) text = text.slice(4);
  else if (text.startsWith("***")) throw new BadPattern("quantifier operand invalid");
  const embedded = options.literal ? null : /^\(\?([a-z]+)\)/.exec(text);
  if (embedded !== null) {
    for (const flag of embedded[1]!) {
      if (flag === "b")
        throw new BasicPattern('basic regular expressions (option "b") are not supported yet');
      const changed = withFlag(options, flag);
      if (changed === null) throw new BadPattern("invalid embedded option");
      options = changed;
    }
    text = text.slice(embedded[0].length);
  }
  const reader = new Reader(Array.from(text), options);
  const root = options.literal ? reader.literal() : reader.all();
  return { root, groups: reader.groups, hasBackreferences: reader.hasBackreferences, options };
}

const EMPTY: Node = { kind: "empty" };

class Reader {
  readonly #text: readonly string[];
  readonly #options: Options;
  #at = 0;
  #depth = 0;
  groups = 0;
  hasBackreferences = false;
  /** Groups already closed: what a back reference may mean. */
  readonly #closed = new Set<number>();

  constructor(text: readonly string[], options: Options) {
    this.#text = text;
    this.#options = options;
  }

  literal(): Node {
    return concat(this.#text.map((c) => this.#character(c)));
  }

  all(): Node {
    const root = this.#alternatives();
    if (this.#at < this.#text.length) throw new BadPattern("parentheses () not balanced");
    return root;
  }

  #alternatives(): Node {
    if (++this.#depth > DEPTH_MAX) throw new BadPattern("regular expression is too complex");
    const items = [this.#branch()];
    while (this.#peek() === "|") {
      this.#at++;
      items.push(this.#branch());
    }
    this.#depth--;
    return items.length === 1 ? items[0]! : { kind: "alternate", items };
  }

  #peek(ahead = 0): string | undefined {
    return this.#text[this.#at + ahead];
  }

  /** Comments, and in expanded syntax white space. */
  #skip(): void {
    for (;;) {
      const c = this.#peek();
      if (this.#options.expanded && c !== undefined && /\s/.test(c)) this.#at++;
      else if (this.#options.expanded && c === "#") {
        while (this.#peek() !== undefined && this.#peek() !== "\n") this.#at++;
      } else if (c === "(" && this.#peek(1) === "?" && this.#peek(2) === "#") {
        while (this.#peek() !== undefined && this.#peek() !== ")") this.#at++;
        this.#at++;
      } else return;
    }
  }

  #branch(): Node {
    const items: Node[] = [];
    for (;;) {
      this.#skip();
      const c = this.#peek();
      if (c === undefined || c === "|" || c === ")") return concat(items);
      items.push(this.#quantified());
    }
  }

  #quantified(): Node {
    const atom = this.#atom();
    this.#skip();
    const bounds = this.#quantifier();
    if (bounds === null) return atom;
    if (atom.kind === "constraint" || atom.kind === "look")
      throw new BadPattern("quantifier operand invalid");
    this.#skip();
    const after = this.#peek();
    if (after === "*" || after === "+" || after === "?" || this.#isBound())
      throw new BadPattern("quantifier operand invalid");
    return { kind: "repeat", item: atom, ...bounds };
  }

  #isBound(): boolean {
    return this.#peek() === "{" && /\d/.test(this.#peek(1) ?? "");
  }

  #quantifier(): { min: number; max: number; greedy: boolean | null } | null {
    const c = this.#peek();
    let min = 0;
    let max = Number.POSITIVE_INFINITY;
    let isExact = false;
    if (c === "*") this.#at++;
    else if (c === "+") {
      this.#at++;
      min = 1;
    } else if (c === "?") {
      this.#at++;
      max = 1;
    } else if (this.#isBound()) {
      this.#at++;
      min = this.#number();
      max = min;
      isExact = this.#peek() !== ",";
      if (!isExact) {
        this.#at++;
        max = /\d/.test(this.#peek() ?? "") ? this.#number() : Number.POSITIVE_INFINITY;
      }
      if (this.#peek() !== "}") {
        throw new BadPattern(
          this.#peek() === undefined ? "braces {} not balanced" : "invalid repetition count(s)",
        );
      }
      this.#at++;
      if (min > max) throw new BadPattern("invalid repetition count(s)");
    } else return null;
    const greedy = this.#peek() !== "?";
    if (!greedy) this.#at++;
    return { min, max, greedy: isExact ? null : greedy };
  }

  #number(): number {
    let n = 0;
    while (/\d/.test(this.#peek() ?? "")) {
      n = n * 10 + Number(this.#text[this.#at++]);
      if (n > REPEAT_MAX) throw new BadPattern("invalid repetition count(s)");
    }
    return n;
  }

  #atom(): Node {
    const c = this.#text[this.#at++]!;
    switch (c) {
      case "(":
        return this.#group();
      case "[":
        return this.#bracket();
      case ".":
        return set((x) => !this.#options.dotStops || x !== 10);
      case "^":
        return constraint(this.#options.lineAnchors ? "lineStart" : "start");
      case "$":
        return constraint(this.#options.lineAnchors ? "lineEnd" : "end");
      case "*":
      case "+":
      case "?":
        throw new BadPattern("quantifier operand invalid");
      case "{":
        if (/\d/.test(this.#peek() ?? "")) throw new BadPattern("quantifier operand invalid");
        return this.#character(c);
      case "\\":
        return this.#escape();
      default:
        return this.#character(c);
    }
  }

  #group(): Node {
    if (this.#peek() !== "?") {
      const index = ++this.groups;
      const item = this.#closing(() => this.#alternatives());
      this.#closed.add(index);
      return { kind: "group", item, index };
    }
    this.#at++;
    const form = this.#text[this.#at++];
    if (form === ":") return wrapped(this.#closing(() => this.#alternatives()));
    const behind = form === "<";
    const sign = behind ? this.#text[this.#at++] : form;
    if (sign !== "=" && sign !== "!") throw new BadPattern("quantifier operand invalid");
    // What is inside captures nothing.
    const before = this.groups;
    const item = withoutGroups(this.#closing(() => this.#alternatives()));
    this.groups = before;
    return { kind: "look", ahead: !behind, negative: sign === "!", item };
  }

  #closing(inside: () => Node): Node {
    const node = inside();
    if (this.#text[this.#at++] !== ")") throw new BadPattern("parentheses () not balanced");
    return node;
  }

  #character(c: string): Node {
    const code = c.codePointAt(0)!;
    if (!this.#options.ignoreCase) return set((x) => x === code);
    const variants = caseVariants(code);
    return set((x) => variants.includes(x));
  }

  #cased(test: Test): Test {
    return this.#options.ignoreCase ? (x) => test(x) || caseVariants(x).some(test) : test;
  }

  // ---- escapes ----------------------------------------------------------------------------------------------------

  #escape(): Node {
    const c = this.#text[this.#at++];
    if (c === undefined) throw new BadPattern("invalid escape \\ sequence");
    const found = constraints[c];
    if (found !== undefined) return constraint(found);
    const shorthand = shorthandTest(c);
    if (shorthand !== null) {
      const stops = this.#options.dotStops && /[DSW]/.test(c);
      return set(stops ? (x) => shorthand(x) && x !== 10 : shorthand);
    }
    if (/[1-9]/.test(c)) {
      const reference = this.#backreference(c);
      if (reference !== null) return reference;
    }
    return this.#character(String.fromCodePoint(this.#characterEscape(c)));
  }

  /** One digit is a reference; more are one if there are as many groups, else an octal number. */
  #backreference(first: string): Node | null {
    let digits = first;
    while (/\d/.test(this.#peek(digits.length - 1) ?? "") && digits.length < 3) {
      digits += this.#peek(digits.length - 1)!;
    }
    const index = Number(digits);
    if (digits.length > 1 && index > this.groups) return null;
    if (!this.#closed.has(index)) throw new BadPattern("invalid backreference number");
    this.#at += digits.length - 1;
    this.hasBackreferences = true;
    return { kind: "backreference", index };
  }

  #characterEscape(c: string): number {
    const known = characterEscapes[c];
    if (known !== undefined) return known;
    if (c === "c") return (this.#text[this.#at++]?.codePointAt(0) ?? 0) & 31;
    if (c === "u") return this.#hex(4, 4);
    if (c === "U") return this.#hex(8, 8);
    if (c === "x") return this.#hex(1, 255);
    if (/[0-7]/.test(c)) {
      let digits = c;
      while (digits.length < 3 && /[0-7]/.test(this.#peek() ?? "")) digits += this.#text[this.#at++]!;
      return checkedCode(Number.parseInt(digits, 8));
    }
    if (/[A-Za-z0-9]/.test(c)) throw new BadPattern("invalid escape \\ sequence");
    return c.codePointAt(0)!;
  }

  #hex(least: number, most: number): number {
    let digits = "";
    while (digits.length < most && /[0-9a-fA-F]/.test(this.#peek() ?? "")) digits += this.#text[this.#at++]!;
    if (digits.length < least) throw new BadPattern("invalid escape \\ sequence");
    return checkedCode(Number.parseInt(digits, 16));
  }

  // ---- brackets ---------------------------------------------------------------------------------------------------

  #bracket(): Node {
    const rest = this.#text.slice(this.#at, this.#at + 6).join("");
    if (rest === "[:<:]]" || rest === "[:>:]]") {
      this.#at += 6;
      return constraint(rest === "[:<:]]" ? "wordStart" : "wordEnd");
    }
    const negated = this.#peek() === "^";
    if (negated) this.#at++;
    const tests: Test[] = [];
    for (let isFirst = true; ; isFirst = false) {
      const c = this.#peek();
      if (c === undefined) throw new BadPattern("brackets [] not balanced");
      if (c === "]" && !isFirst) break;
      tests.push(this.#bracketItem(isFirst));
    }
    this.#at++;
    const inside = this.#cased((x) => tests.some((test) => test(x)));
    if (!negated) return set(inside);
    return set((x) => !inside(x) && !(this.#options.dotStops && x === 10));
  }

  #bracketItem(isFirst: boolean): Test {
    const start = this.#bracketElement();
    if (typeof start === "function") {
      if (this.#peek() === "-" && this.#peek(1) !== "]" && this.#peek(1) !== undefined)
        throw new BadPattern("invalid character range");
      return start;
    }
    const isRange = this.#peek() === "-" && this.#peek(1) !== "]" && this.#peek(1) !== undefined;
    if (!isRange) {
      if (start === 45 && !isFirst && this.#peek() !== "]") throw new BadPattern("invalid character range");
      return (x) => x === start;
    }
    this.#at++;
    const end = this.#bracketElement();
    if (typeof end === "function" || end < start) throw new BadPattern("invalid character range");
    return (x) => x >= start && x <= end;
  }

  #bracketElement(): number | Test {
    const c = this.#text[this.#at++]!;
    if (c === "[" && /[.=:]/.test(this.#peek() ?? "")) return this.#bracketClass(this.#text[this.#at++]!);
    if (c !== "\\") return c.codePointAt(0)!;
    const escaped = this.#text[this.#at++];
    if (escaped === undefined) throw new BadPattern("invalid escape \\ sequence");
    const shorthand = shorthandTest(escaped);
    if (shorthand !== null) return shorthand;
    if (constraints[escaped] !== undefined) throw new BadPattern("invalid escape \\ sequence");
    return this.#characterEscape(escaped);
  }

  #bracketClass(kind: string): number | Test {
    let name = "";
    while (!(this.#peek() === kind && this.#peek(1) === "]")) {
      const c = this.#text[this.#at++];
      if (c === undefined) throw new BadPattern("brackets [] not balanced");
      name += c;
    }
    this.#at += 2;
    if (kind !== ":") {
      if (Array.from(name).length !== 1) throw new BadPattern("invalid collating element");
      return name.codePointAt(0)!;
    }
    const test = classTest(name);
    if (test === null) throw new BadPattern("invalid character class");
    return test;
  }
}

function checkedCode(code: number): number {
  if (code > 0x10ffff) throw new BadPattern("invalid escape \\ sequence");
  return code;
}

function set(test: Test): Node {
  return { kind: "set", test };
}

function constraint(kind: Constraint): Node {
  return { kind: "constraint", constraint: kind };
}

function concat(items: readonly Node[]): Node {
  return items.length === 0 ? EMPTY : items.length === 1 ? items[0]! : { kind: "concat", items };
}

/** A group without number is one item, also where a branch was read into it. */
function wrapped(node: Node): Node {
  return node.kind === "constraint" || node.kind === "look" ? { kind: "concat", items: [node] } : node;
}

function withoutGroups(node: Node): Node {
  switch (node.kind) {
    case "group":
      return withoutGroups(node.item);
    case "repeat":
      return { ...node, item: withoutGroups(node.item) };
    case "concat":
    case "alternate":
      return { ...node, items: node.items.map(withoutGroups) };
    case "backreference":
      throw new BadPattern("invalid backreference number");
    default:
      return node;
  }
}

const constraints: Readonly<Record<string, Constraint>> = {
  A: "start",
  Z: "end",
  m: "wordStart",
  M: "wordEnd",
  y: "edge",
  Y: "noEdge",
};

const characterEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  B: 92,
  e: 27,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};

function shorthandTest(c: string): Test | null {
  const base = { d: classTest("digit")!, s: classTest("space")!, w: isWord }[c.toLowerCase()];
  if (base === undefined) return null;
  return c === c.toLowerCase() ? base : (x) => !base(x);
}
