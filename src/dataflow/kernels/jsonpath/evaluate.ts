/**
 * A jsonpath over a jsonb: its items, one after the other, as far as somebody asks. An item is canonical JSON text, mostly a slice of the document.
 *
 * lax: a step for objects goes into the elements of an array, one for arrays takes anything else as an array of it, operands that are arrays are
 * their elements, and what is not there is passed over. strict: each of these is an error. An error within a predicate makes it unknown; elsewhere
 * it ends the evaluation (the caller may be silent about it).
 */
import type { Comparison, Head, JsonPath, Path, Predicate, Step } from "../../../batch/jsonpath/tree.ts";
import { LAST } from "../../../batch/jsonpath/tree.ts";
import { compareDecimals, type Decimal, decimalFromText, decimalToText, negateDecimal } from "../decimal.ts";
import { scalarError } from "../errors.ts";
import { elementsOf, fieldOf, kindOf, membersOf, unquoted } from "../json-text.ts";
import { compareText } from "../text-order.ts";
import { arithmetic } from "./arithmetic.ts";
import { invoke, toDecimal } from "./methods.ts";
import { PathFault, pathFault } from "./path-fault.ts";
import { regexTest } from "./regex.ts";

export type Json = string;
type Truth = boolean | null;

const SINGLETON = "22038";
const SUBSCRIPT = "22033";
const NO_ARRAY = "22039";
const NO_MEMBER = "2203A";
const NO_OBJECT = "2203C";
const NO_NUMBER = "2203B";

const ARRAY_INDEX_MAX = 2_147_483_647n;

interface Around {
  readonly current: Json;
  /** Of the array whose subscript is computed; null outside of one. */
  readonly last: number | null;
  /** Missing members and elements are passed over: in lax mode, and under **. */
  readonly forgiving: boolean;
}

export class Evaluation {
  private readonly root: Json;
  private readonly variables: Json;
  private readonly lax: boolean;
  private readonly path: Path;

  /** `variables`: an object. */
  constructor({ strict, path }: JsonPath, document: Json, variables: Json) {
    this.root = document;
    this.variables = variables;
    this.lax = !strict;
    this.path = path;
  }

  /** @throws PathFault */
  items(): Generator<Json> {
    return this.run(this.path, this.outermost());
  }

  /** Whether there is an item, without looking further. @throws PathFault */
  some(path: Path = this.path, around: Around = this.outermost()): boolean {
    if (path.head.kind !== "unary" || path.steps.length > 0) return !this.run(path, around).next().done;
    // What is no number is passed over where nobody asks for it.
    for (const item of this.unwrapped(path.head.arg, around)) if (kindOf(item) === "number") return true;
    return false;
  }

  private outermost(): Around {
    return { current: this.root, last: null, forgiving: this.lax };
  }

  private *run(path: Path, around: Around): Generator<Json> {
    for (const item of this.begin(path.head, around))
      yield* this.follow(path.steps, 0, item, around, this.lax);
  }

  // ---- what a path begins with ------------------------------------------------------------------------------------

  private *begin(head: Head, around: Around): Generator<Json> {
    switch (head.kind) {
      case "root":
        yield this.root;
        return;
      case "current":
        yield around.current;
        return;
      case "last":
        yield String(around.last! - 1);
        return;
      case "scalar":
        yield head.json;
        return;
      case "variable":
        yield this.variable(head.name);
        return;
      case "predicate": {
        const truth = this.truth(head.predicate, around);
        yield truth === null ? "null" : String(truth);
        return;
      }
      case "binary": {
        const left = this.number(head.left, head.op, "left", around);
        const right = this.number(head.right, head.op, "right", around);
        yield decimalToText(arithmetic(head.op, left, right));
        return;
      }
      case "unary":
        for (const item of this.unwrapped(head.arg, around)) {
          if (kindOf(item) !== "number")
            throw pathFault(
              NO_NUMBER,
              `operand of unary jsonpath operator ${head.op} is not a numeric value`,
            );
          yield head.op === "+" ? item : decimalToText(negateDecimal(decimalFromText(item)));
        }
    }
  }

  private variable(name: string): Json {
    const value = fieldOf(this.variables, name);
    if (value !== null) return value;
    const message = `could not find jsonpath variable "${name}"`;
    throw new PathFault(scalarError("undefined_object", message), true);
  }

  private number(path: Path, op: string, side: "left" | "right", around: Around): Decimal {
    const items = [...this.unwrapped(path, around)];
    if (items.length === 1 && kindOf(items[0]!) === "number") return decimalFromText(items[0]!);
    throw pathFault(SINGLETON, `${side} operand of jsonpath operator ${op} is not a single numeric value`);
  }

  /** The path's items; in lax mode the elements of those that are arrays. */
  private *unwrapped(path: Path, around: Around): Generator<Json> {
    for (const item of this.run(path, around)) {
      if (this.lax && kindOf(item) === "array") yield* elementsOf(item);
      else yield item;
    }
  }

  // ---- steps ------------------------------------------------------------------------------------------------------

  /** `unwrap`: whether an array may stand for its elements here. */
  private *follow(
    steps: readonly Step[],
    at: number,
    item: Json,
    around: Around,
    unwrap: boolean,
  ): Generator<Json> {
    const step = steps[at];
    if (step === undefined) {
      yield item;
      return;
    }
    const kind = kindOf(item);
    if (unwrap && kind === "array" && forElements(step)) {
      for (const element of elementsOf(item)) yield* this.follow(steps, at, element, around, false);
      return;
    }
    const next = (value: Json, inside: Around = around) =>
      this.follow(steps, at + 1, value, inside, this.lax);
    switch (step.kind) {
      case "key": {
        const value = kind === "object" ? fieldOf(item, step.name) : null;
        if (value !== null) yield* next(value);
        else if (!around.forgiving) {
          throw pathFault(
            NO_MEMBER,
            kind === "object"
              ? `JSON object does not contain key "${step.name}"`
              : "jsonpath member accessor can only be applied to an object",
          );
        }
        return;
      }
      case "anyKey":
        if (kind === "object") for (const [, value] of membersOf(item)) yield* next(value);
        else if (!around.forgiving)
          throw pathFault(NO_OBJECT, "jsonpath wildcard member accessor can only be applied to an object");
        return;
      case "anyElement":
        if (kind === "array") for (const element of elementsOf(item)) yield* next(element);
        else if (this.lax) yield* next(item);
        else if (!around.forgiving)
          throw pathFault(NO_ARRAY, "jsonpath wildcard array accessor can only be applied to an array");
        return;
      case "index":
        yield* this.subscripted(step, item, around, next);
        return;
      case "anyDepth": {
        const inside = { ...around, forgiving: true };
        if (step.first === 0) yield* next(item, inside);
        if (step.last > 0) yield* this.descend(step, item, 1, (value) => next(value, inside));
        return;
      }
      case "filter":
        if (this.truth(step.predicate, { ...around, current: item }) === true) yield* next(item);
        return;
      case "method":
      case "decimal":
        for (const value of invoke(step, item, this.lax, around.forgiving, item === this.root))
          yield* next(value);
    }
  }

  private *descend(
    step: Step & { kind: "anyDepth" },
    item: Json,
    level: number,
    next: (value: Json) => Generator<Json>,
  ): Generator<Json> {
    if (level > step.last) return;
    const kind = kindOf(item);
    const inside =
      kind === "object"
        ? membersOf(item).map(([, value]) => value)
        : kind === "array"
          ? elementsOf(item)
          : [];
    for (const value of inside) {
      const isLeaf = !["object", "array"].includes(kindOf(value));
      const isLast = step.first === LAST && step.last === LAST;
      if (level >= step.first || (isLast && isLeaf)) yield* next(value);
      if (level < step.last && !isLeaf) yield* this.descend(step, value, level + 1, next);
    }
  }

  private *subscripted(
    step: Step & { kind: "index" },
    item: Json,
    around: Around,
    next: (value: Json) => Generator<Json>,
  ): Generator<Json> {
    const isArray = kindOf(item) === "array";
    if (!isArray && !this.lax) {
      if (around.forgiving) return;
      throw pathFault(NO_ARRAY, "jsonpath array accessor can only be applied to an array");
    }
    const elements = isArray ? elementsOf(item) : [item];
    const inside = { ...around, last: elements.length };
    for (const { from, to } of step.ranges) {
      const first = this.index(from, item, inside);
      const last = to === null ? first : this.index(to, item, inside);
      if (!around.forgiving && (first < 0 || first > last || last >= elements.length))
        throw pathFault(SUBSCRIPT, "jsonpath array subscript is out of bounds");
      for (let i = Math.max(0, first); i <= Math.min(last, elements.length - 1); i++)
        yield* next(elements[i]!);
    }
  }

  private index(path: Path, _item: Json, around: Around): number {
    const items = [...this.run(path, around)];
    if (items.length !== 1 || kindOf(items[0]!) !== "number")
      throw pathFault(SUBSCRIPT, "jsonpath array subscript is not a single numeric value");
    const whole = BigInt(/^-?\d*/.exec(items[0]!)![0].replace(/^-?$/, "0"));
    if (whole > ARRAY_INDEX_MAX || whole < -ARRAY_INDEX_MAX - 1n)
      throw pathFault(SUBSCRIPT, "jsonpath array subscript is out of integer range");
    return Number(whole);
  }

  // ---- predicates -------------------------------------------------------------------------------------------------

  private truth(predicate: Predicate, around: Around): Truth {
    switch (predicate.kind) {
      case "and": {
        const left = this.truth(predicate.left, around);
        if (left === false) return false;
        const right = this.truth(predicate.right, around);
        return right === true ? left : right;
      }
      case "or": {
        const left = this.truth(predicate.left, around);
        if (left === true) return true;
        const right = this.truth(predicate.right, around);
        return right === false ? left : right;
      }
      case "not": {
        const arg = this.truth(predicate.arg, around);
        return arg === null ? null : !arg;
      }
      case "unknown":
        return this.truth(predicate.arg, around) === null;
      case "exists":
        return this.exists(predicate.arg, around);
      case "compare":
        return this.any(predicate.left, predicate.right, true, around, (a, b) =>
          compared(predicate.op, a, b!),
        );
      case "starts":
        return this.any(predicate.left, predicate.right, false, around, startsWith);
      case "like": {
        const matches = regexTest(predicate.pattern, predicate.flags);
        return this.any(predicate.left, null, false, around, (a) =>
          kindOf(a) === "string" ? matches(unquoted(a)) : null,
        );
      }
    }
  }

  private exists(path: Path, around: Around): Truth {
    return this.known(() => (this.lax ? this.some(path, around) : [...this.run(path, around)].length > 0));
  }

  /** Null where the evaluation ends in an error. */
  private known<T>(work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      if (error instanceof PathFault && !error.always) return null;
      throw error;
    }
  }

  /** Whether the test is true for any pair; unknown where it is for one, or where the operands are. */
  private any(
    left: Path,
    right: Path | null,
    unwrapRight: boolean,
    around: Around,
    test: (a: Json, b: Json | null) => Truth,
  ): Truth {
    const lefts = this.known(() => [...this.unwrapped(left, around)]);
    if (lefts === null) return null;
    const rights =
      right === null
        ? [null]
        : this.known(() => [...(unwrapRight ? this.unwrapped(right, around) : this.run(right, around))]);
    if (rights === null) return null;
    let [found, unknown] = [false, false];
    for (const a of lefts) {
      for (const b of rights) {
        const truth = test(a, b);
        if (truth === true && this.lax) return true;
        if (truth === null && !this.lax) return null;
        found ||= truth === true;
        unknown ||= truth === null;
      }
    }
    if (found) return true;
    return unknown ? null : false;
  }
}

/** Steps that an array is taken apart for, in lax mode. */
function forElements(step: Step): boolean {
  if (step.kind === "method") return step.method !== "type" && step.method !== "size";
  return step.kind === "key" || step.kind === "anyKey" || step.kind === "filter" || step.kind === "decimal";
}

function compared(op: Comparison, a: Json, b: Json): Truth {
  const [kind, other] = [kindOf(a), kindOf(b)];
  if (kind !== other) return kind === "null" || other === "null" ? op === "!=" : null;
  if (kind === "object" || kind === "array") return null;
  const order = kind === "null" ? 0 : orderOf(kind, a, b);
  switch (op) {
    case "==":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
  }
}

function orderOf(kind: "boolean" | "number" | "string", a: Json, b: Json): number {
  if (kind === "number") return compareDecimals(toDecimal(a), toDecimal(b));
  if (kind === "string") return compareText(unquoted(a), unquoted(b));
  return Number(a === "true") - Number(b === "true");
}

function startsWith(text: Json, prefix: Json | null): Truth {
  if (kindOf(text) !== "string" || kindOf(prefix!) !== "string") return null;
  return unquoted(text).startsWith(unquoted(prefix!));
}
