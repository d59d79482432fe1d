/**
 * Reads what a function of the user gives, from its text.
 *
 * 1. Parse the text (function-source.ts). A name declared twice or assigned to may stand for anything: unknown.
 * 2. Bind the parameters: a name is the row, a destructured one its column, a rest the row's other columns.
 * 3. Evaluate what it returns (evaluate.ts), over all returns; constants declared on the way are followed.
 * 4. If the body is nothing but one return, and the value nothing but columns and constants, the function need never be
 *    called: the plan reads the columns (`plain`).
 */
import type { AnyNode, Expression, Pattern, Statement } from "acorn";
import type { RowShape, UserFunction } from "../plan/expression.ts";
import { isBounded } from "./bounded.ts";
import { evaluate, type Scope } from "./evaluate.ts";
import {
  childNodes,
  type FunctionSource,
  functionSource,
  propertiesUsed,
  propertyName,
  type UserCode,
} from "./function-source.ts";
import { eitherValue, type InputColumn, rowValue, unknown, type Value } from "./value.ts";

/** A row a function is called with. */
export interface InputRow {
  readonly columns: readonly InputColumn[];
  /** Set for the right side of a left join: the row is null where this column is. */
  readonly presentColumn: number | null;
}

/** What a function is called with: a row, or a value nothing is known of (an accumulator). */
export type Argument = InputRow | null;

export interface Reading {
  /** What the function returns; for an element reading, what each element is. */
  readonly value: Value;
  /** The body is only that value: no statement beside it does or throws anything. */
  readonly plain: boolean;
  /** The function as the engine calls it, with rows that have the columns it looks at. */
  readonly fn: UserFunction;
}

/** What `fn`, called with these rows, returns. */
export function readFunction(fn: UserCode, rows: readonly Argument[]): Reading {
  return read(fn, rows, (source, scope) => overReturns(source.body, scope, evaluate));
}

/** What each element is of the iterable that `fn` returns, or yields. */
export function readElements(fn: UserCode, rows: readonly Argument[]): Reading {
  return read(fn, rows, (source, scope) =>
    source.generator ? overYields(source.body, scope) : overReturns(source.body, scope, evaluateElements),
  );
}

function read(
  fn: UserCode,
  rows: readonly Argument[],
  give: (source: FunctionSource, scope: Scope) => Value,
): Reading {
  const source = functionSource(fn);
  if (source === null) return { value: unknown, plain: false, fn: userFunction(fn, null, rows) };
  // Taken from the start, so that nothing binds them: each other name is bound once.
  const scope = new Map<string, Value>([...source.ambiguous].map((name) => [name, unknown]));
  let bound = true;
  source.parameters.forEach((pattern, i) => {
    const row = rows[i];
    const value = row ? rowValue(row.columns, row.presentColumn !== null) : unknown;
    if (row === undefined || !bind(scope, pattern, value)) bound = false;
  });
  const value = give(source, scope);
  const plain =
    bound && !source.generator && source.body.length === 1 && source.body[0]!.type === "ReturnStatement";
  return { value, plain, fn: userFunction(fn, source, rows) };
}

/** Adds the names a pattern binds. False where binding itself may do something: defaults, patterns in patterns, null rows. */
function bind(scope: Map<string, Value>, pattern: Pattern, value: Value): boolean {
  if (pattern.type === "Identifier") {
    if (!scope.has(pattern.name)) scope.set(pattern.name, value);
    return true;
  }
  if (pattern.type !== "ObjectPattern" || value.kind !== "object") return false;
  const left = new Map(value.properties);
  let simple = !value.maybeNull;
  for (const part of pattern.properties) {
    if (part.type === "RestElement") {
      if (simple) bind(scope, part.argument, { kind: "object", properties: left, maybeNull: false });
      continue;
    }
    const name = propertyName(part.key, part.computed);
    const property = name === null ? undefined : value.properties.get(name);
    if (name === null || property === undefined || part.value.type !== "Identifier") {
      simple = false;
      continue;
    }
    left.delete(name);
    bind(scope, part.value, property);
  }
  return simple;
}

/** One value for all returns of the statements. Constants declared at their top are in the scope of what follows. */
function overReturns(
  body: readonly Statement[],
  outer: Scope,
  give: (node: AnyNode, scope: Scope) => Value,
): Value {
  const scope = new Map(outer);
  const values: Value[] = [];
  for (const statement of body) {
    declareConstants(statement, scope);
    for (const argument of returnsIn(statement)) {
      values.push(argument === null ? { kind: "constant", value: null } : give(argument, scope));
    }
  }
  return allOf(values);
}

function declareConstants(statement: Statement, scope: Map<string, Value>): void {
  if (statement.type !== "VariableDeclaration" || statement.kind !== "const") return;
  for (const { id, init } of statement.declarations) {
    if (init) bind(scope, id, evaluate(init, scope));
  }
}

function overYields(body: readonly Statement[], scope: Scope): Value {
  const values: Value[] = [];
  const visit = (node: AnyNode) => {
    if (isFunctionNode(node)) return;
    if (node.type === "YieldExpression") {
      if (node.delegate) values.push(node.argument ? evaluateElements(node.argument, scope) : unknown);
      else values.push(node.argument ? evaluate(node.argument, scope) : unknown);
    }
    childNodes(node).forEach(visit);
  };
  body.forEach(visit);
  return allOf(values);
}

/** An element of what the expression gives: `[a, b]`, `c ? [a] : []`, `list.map((x) => a)`. */
function evaluateElements(node: AnyNode, scope: Scope): Value {
  switch (node.type) {
    case "ChainExpression":
      return evaluateElements(node.expression, scope);
    case "ConditionalExpression": {
      const sides = [node.consequent, node.alternate].filter((side) => !isEmptyArray(side));
      return allOf(sides.map((side) => evaluateElements(side, scope)));
    }
    case "ArrayExpression":
      return allOf(
        node.elements.map((e) =>
          e === null
            ? unknown
            : e.type === "SpreadElement"
              ? evaluateElements(e.argument, scope)
              : evaluate(e, scope),
        ),
      );
    case "CallExpression": {
      const { callee, arguments: given } = node;
      const name = callee.type === "MemberExpression" ? propertyName(callee.property, callee.computed) : null;
      const callback = given[0];
      if (callback === undefined || (name !== "map" && name !== "flatMap")) return unknown;
      if (callback.type !== "ArrowFunctionExpression" && callback.type !== "FunctionExpression")
        return unknown;
      const body = callback.body;
      const element = name === "map" ? evaluate : evaluateElements;
      return body.type === "BlockStatement" ? overReturns(body.body, scope, element) : element(body, scope);
    }
    default:
      return unknown;
  }
}

function isEmptyArray(node: AnyNode): boolean {
  return node.type === "ArrayExpression" && node.elements.length === 0;
}

function allOf(values: readonly Value[]): Value {
  return values.length === 0 ? unknown : values.reduce(eitherValue);
}

/** Arguments of the return statements below, those of functions inside it left out; null for a bare return. */
function returnsIn(node: AnyNode): (Expression | null)[] {
  if (node.type === "ReturnStatement") return [node.argument ?? null];
  return isFunctionNode(node) ? [] : childNodes(node).flatMap(returnsIn);
}

function isFunctionNode(node: AnyNode): boolean {
  return (
    node.type === "ArrowFunctionExpression" ||
    node.type === "FunctionExpression" ||
    node.type === "FunctionDeclaration"
  );
}

function userFunction(fn: UserCode, source: FunctionSource | null, rows: readonly Argument[]): UserFunction {
  return {
    call: fn as unknown as UserFunction["call"],
    source: source?.text ?? Function.prototype.toString.call(fn),
    bounded: isBounded(fn),
    rows: rows.flatMap((row, i) => (row === null ? [] : rowShape(row, source && propertiesUsed(source, i)))),
  };
}

function rowShape({ columns, presentColumn }: InputRow, used: ReadonlySet<string> | null): RowShape {
  const seen = used === null ? columns : columns.filter((c) => used.has(c.name));
  return { fields: seen.map(({ name, column }) => ({ name, column })), presentColumn };
}
