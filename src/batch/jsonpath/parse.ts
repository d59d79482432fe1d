/**
 * jsonpath, read by descent; the weakest operators first:
 *
 *   predicate = conjunction ("||" conjunction)*       conjunction = negation ("&&" negation)*
 *   negation  = "!" delimited | comparison | delimited
 *   sum       = product (("+" | "-") product)*        product = signed (("*" | "/" | "%") signed)*
 *   signed    = ("+" | "-") signed | accessed
 *
 * What stands in parentheses may be either; so every level gives a predicate or a path, and who asks for one of them refuses the other.
 */
import { EvertError, notSupported } from "../../base/errors.ts";
import { quoteJson } from "../jsonb.ts";
import { syntaxError, type Token, tokensOf } from "./tokens.ts";
import {
  type BinaryOperator,
  type Comparison,
  type Head,
  type JsonPath,
  LAST,
  type Method,
  methods,
  type Path,
  type Predicate,
  type Step,
} from "./tree.ts";

const DEPTH_MAX = 500;

type Part =
  | { readonly kind: "path"; readonly path: Path }
  | { readonly kind: "predicate"; readonly predicate: Predicate; readonly delimited: boolean };

const comparisons: Readonly<Record<string, Comparison>> = {
  "==": "==",
  "!=": "!=",
  "<>": "!=",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};

/** @throws syntax_error, invalid_text_representation, feature_not_supported */
export function parsePath(text: string): JsonPath {
  if (/^[ \t\n\r\f]*$/.test(text)) {
    throw new EvertError("invalid_text_representation", `invalid input syntax for type jsonpath: "${text}"`);
  }
  return new Parser(tokensOf(text)).whole();
}

class Parser {
  private readonly tokens: readonly Token[];
  private at = 0;
  private depth = 0;
  private filters = 0;
  private subscripts = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  whole(): JsonPath {
    const mode = this.word("strict") ? "strict" : this.word("lax") ? "lax" : null;
    if (mode !== null) this.at++;
    const part = this.either();
    if (this.token.kind !== "end") throw this.wrong();
    return { strict: mode === "strict", path: asHead(part) };
  }

  // ---- tokens -----------------------------------------------------------------------------------------------------

  private get token(): Token {
    return this.tokens[this.at]!;
  }

  private wrong(): EvertError {
    return syntaxError(this.token.near);
  }

  private sign(text: string): boolean {
    return this.token.kind === "sign" && this.token.text === text;
  }

  private word(text: string, at = this.at): boolean {
    const token = this.tokens[at];
    return token?.kind === "name" && token.text.toLowerCase() === text;
  }

  private take(text: string): void {
    if (!this.sign(text)) throw this.wrong();
    this.at++;
  }

  private taken(text: string): boolean {
    if (!this.sign(text)) return false;
    this.at++;
    return true;
  }

  private deeper<T>(work: () => T): T {
    if (++this.depth > DEPTH_MAX) {
      throw new EvertError("statement_too_complex", "jsonpath is nested too deeply", {
        detail: `It may be nested ${DEPTH_MAX} levels deep.`,
      });
    }
    const made = work();
    this.depth--;
    return made;
  }

  // ---- predicates -------------------------------------------------------------------------------------------------

  private either(): Part {
    return this.deeper(() => {
      let left = this.conjunction();
      while (this.sign("||")) {
        this.at++;
        const right = this.predicateOf(this.conjunction());
        left = {
          kind: "predicate",
          delimited: false,
          predicate: { kind: "or", left: this.predicateOf(left), right },
        };
      }
      return left;
    });
  }

  private conjunction(): Part {
    let left = this.negation();
    while (this.sign("&&")) {
      this.at++;
      const right = this.predicateOf(this.negation());
      left = {
        kind: "predicate",
        delimited: false,
        predicate: { kind: "and", left: this.predicateOf(left), right },
      };
    }
    return left;
  }

  private negation(): Part {
    if (!this.taken("!")) return this.comparison();
    const part = this.signed();
    if (part.kind !== "predicate" || !part.delimited) throw this.wrong();
    return { kind: "predicate", delimited: false, predicate: { kind: "not", arg: part.predicate } };
  }

  private predicate(): Predicate {
    return this.predicateOf(this.either());
  }

  private predicateOf(part: Part): Predicate {
    if (part.kind !== "predicate") throw this.wrong();
    return part.predicate;
  }

  private comparison(): Part {
    const first = this.sum();
    if (first.kind === "predicate") return first;
    const left = first.path;
    const made = (predicate: Predicate): Part => ({ kind: "predicate", delimited: false, predicate });
    const op = this.token.kind === "sign" ? comparisons[this.token.text] : undefined;
    if (op !== undefined) {
      this.at++;
      const right = this.pathOf(this.sum());
      return made({ kind: "compare", op, left, right });
    }
    if (this.word("starts")) {
      if (!this.word("with", ++this.at)) throw this.wrong();
      this.at++;
      const { kind, text } = this.token;
      if (kind !== "string" && kind !== "variable") throw this.wrong();
      this.at++;
      const head: Head =
        kind === "string" ? { kind: "scalar", json: quoteJson(text, "") } : { kind, name: text };
      return made({ kind: "starts", left, right: { head, steps: [] } });
    }
    if (!this.word("like_regex")) return first;
    this.at++;
    const pattern = this.string();
    let flags = "";
    if (this.word("flag")) {
      this.at++;
      flags = regexFlags(this.string());
    }
    return made({ kind: "like", left, pattern, flags });
  }

  private string(): string {
    if (this.token.kind !== "string") throw this.wrong();
    const { text } = this.token;
    this.at++;
    return text;
  }

  // ---- paths ------------------------------------------------------------------------------------------------------

  private pathOf(part: Part): Path {
    if (part.kind !== "path") throw this.wrong();
    return part.path;
  }

  private expression(): Path {
    return this.deeper(() => this.pathOf(this.sum()));
  }

  private sum(): Part {
    let left = this.product();
    while (this.sign("+") || this.sign("-")) left = this.binary(left, () => this.product());
    return left;
  }

  private product(): Part {
    let left = this.signed();
    while (this.sign("*") || this.sign("/") || this.sign("%")) left = this.binary(left, () => this.signed());
    return left;
  }

  private binary(before: Part, operand: () => Part): Part {
    const left = this.pathOf(before);
    const op = this.token.text as BinaryOperator;
    this.at++;
    const right = this.pathOf(operand());
    return { kind: "path", path: { head: { kind: "binary", op, left, right }, steps: [] } };
  }

  private signed(): Part {
    if (!this.sign("+") && !this.sign("-")) return this.accessed();
    const op = this.token.text as "+" | "-";
    this.at++;
    const arg = this.deeper(() => this.pathOf(this.signed()));
    const number = arg.steps.length === 0 && arg.head.kind === "scalar" && /^[-\d]/.test(arg.head.json);
    if (!number) return { kind: "path", path: { head: { kind: "unary", op, arg }, steps: [] } };
    const { json } = arg.head as Head & { kind: "scalar" };
    return {
      kind: "path",
      path: { head: { kind: "scalar", json: op === "+" ? json : negated(json) }, steps: [] },
    };
  }

  private accessed(): Part {
    const first = this.primary();
    const steps = this.steps();
    if (steps.length === 0) return first;
    if (first.kind === "predicate" && !first.delimited) throw this.wrong();
    const { head, steps: own } = asHead(first);
    return { kind: "path", path: { head, steps: [...own, ...steps] } };
  }

  private primary(): Part {
    const { token } = this;
    const path = (head: Head): Part => {
      this.at++;
      return { kind: "path", path: { head, steps: [] } };
    };
    switch (token.kind) {
      case "number":
        return path({ kind: "scalar", json: token.text });
      case "string":
        return path({ kind: "scalar", json: quoteJson(token.text, "") });
      case "variable":
        return path({ kind: "variable", name: token.text });
      case "name":
        return this.named(token, path);
      case "sign":
        break;
      case "end":
        throw this.wrong();
    }
    switch (token.text) {
      case "$":
        return path({ kind: "root" });
      case "@":
        if (this.filters === 0) throw new EvertError("syntax_error", "@ is not allowed in root expressions");
        return path({ kind: "current" });
      case "(":
        return this.parenthesized();
      default:
        throw this.wrong();
    }
  }

  private named(token: Token, path: (head: Head) => Part): Part {
    if (["null", "true", "false"].includes(token.text)) return path({ kind: "scalar", json: token.text });
    if (this.word("last")) {
      if (this.subscripts === 0)
        throw new EvertError("syntax_error", "LAST is allowed only in array subscripts");
      return path({ kind: "last" });
    }
    if (!this.word("exists")) throw this.wrong();
    this.at++;
    this.take("(");
    const arg = this.expression();
    this.take(")");
    return { kind: "predicate", delimited: true, predicate: { kind: "exists", arg } };
  }

  private parenthesized(): Part {
    this.at++;
    const part = this.either();
    this.take(")");
    if (part.kind === "path") return part;
    if (!this.word("is")) return { ...part, delimited: true };
    if (!this.word("unknown", ++this.at)) throw this.wrong();
    this.at++;
    return { kind: "predicate", delimited: false, predicate: { kind: "unknown", arg: part.predicate } };
  }

  // ---- steps ------------------------------------------------------------------------------------------------------

  private steps(): Step[] {
    const steps: Step[] = [];
    for (;;) {
      if (this.taken("[")) steps.push(this.subscript());
      else if (this.taken("?")) {
        this.take("(");
        this.filters++;
        steps.push({ kind: "filter", predicate: this.predicate() });
        this.filters--;
        this.take(")");
      } else if (this.taken(".")) steps.push(this.member());
      else return steps;
    }
  }

  private subscript(): Step {
    if (this.taken("*")) {
      this.take("]");
      return { kind: "anyElement" };
    }
    const ranges: { from: Path; to: Path | null }[] = [];
    this.subscripts++;
    do {
      const from = this.expression();
      let to: Path | null = null;
      if (this.word("to")) {
        this.at++;
        to = this.expression();
      }
      ranges.push({ from, to });
    } while (this.taken(","));
    this.subscripts--;
    this.take("]");
    return { kind: "index", ranges };
  }

  private member(): Step {
    const { token } = this;
    if (this.taken("*")) return { kind: "anyKey" };
    if (this.taken("**")) return this.anyDepth();
    if (token.kind !== "name" && token.kind !== "string") throw this.wrong();
    this.at++;
    if (token.kind === "string" || !this.sign("(")) return { kind: "key", name: token.text };
    const name = token.text.toLowerCase();
    const method = methods.find((m) => m === name) as Method | undefined;
    if (method === undefined && name !== "decimal") {
      if (/^(datetime|date|time|time_tz|timestamp|timestamp_tz)$/.test(name))
        throw notSupported(`jsonpath item method .${name}()`);
      throw this.wrong();
    }
    this.at++;
    if (method === undefined) return this.decimal();
    this.take(")");
    return { kind: "method", method };
  }

  private decimal(): Step {
    const given: number[] = [];
    while (!this.sign(")")) {
      if (given.length === 2) throw this.wrong();
      const minus = this.taken("-");
      if (!minus) this.taken("+");
      if (this.token.kind !== "number") throw this.wrong();
      given.push((minus ? -1 : 1) * Number(this.token.text));
      this.at++;
      if (!this.sign(")")) this.take(",");
    }
    this.at++;
    return { kind: "decimal", precision: given[0] ?? null, scale: given[1] ?? null };
  }

  private anyDepth(): Step {
    if (!this.taken("{")) return { kind: "anyDepth", first: 0, last: LAST };
    const first = this.level();
    let last = first;
    if (this.word("to")) {
      this.at++;
      last = this.level();
    }
    this.take("}");
    return { kind: "anyDepth", first, last };
  }

  private level(): number {
    const { token } = this;
    const last = this.word("last");
    if (!last && (token.kind !== "number" || !/^\d+$/.test(token.text))) throw this.wrong();
    this.at++;
    return last ? LAST : Number(token.text);
  }
}

/** A predicate as what a path begins with. */
function asHead(part: Part): Path {
  return part.kind === "path"
    ? part.path
    : { head: { kind: "predicate", predicate: part.predicate }, steps: [] };
}

function negated(number: string): string {
  if (/^0(\.0*)?$/.test(number)) return number;
  return number.startsWith("-") ? number.slice(1) : `-${number}`;
}

/** In the order in which they are printed. */
function regexFlags(written: string): string {
  for (const flag of written) {
    if ("ismxq".includes(flag)) continue;
    throw new EvertError("invalid_text_representation", "invalid input syntax for type jsonpath", {
      detail: `Unrecognized flag character "${flag}" in LIKE_REGEX predicate.`,
      sqlstate: "42601",
    });
  }
  if (written.includes("x") && !written.includes("q")) {
    const message = 'XQuery "x" flag (expanded regular expressions) is not implemented';
    throw new EvertError("feature_not_supported", message);
  }
  return [..."ismxq"].filter((flag) => written.includes(flag)).join("");
}
