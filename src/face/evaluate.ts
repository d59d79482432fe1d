/**
 * What an expression's text says of its value, in a scope that knows the function's parameters.
 *
 * Certain, or "unknown": a type is given only where JavaScript leaves no other (a comparison is a boolean, `a * b` a number
 * of these columns), or where a method's name leaves none to a reasonable program (`.toLowerCase()`). If it is wrong all
 * the same, the value does not fit its column and the row becomes an error of the view; no answer is ever wrong.
 */
import type { AnyNode, CallExpression, MemberExpression, ObjectExpression } from "acorn";
import { EvertError } from "../base/errors.ts";
import { bool, float8, int4, text } from "../batch/types.ts";
import { propertyName } from "./function-source.ts";
import {
  computed,
  either,
  eitherValue,
  type Guess,
  guessOf,
  isNumber,
  isString,
  originOf,
  unknown,
  type Value,
} from "./value.ts";

export type Scope = ReadonlyMap<string, Value>;

/** Methods that give a string, a boolean, a number, whatever they are called on. */
const methodTypes = new Map([
  ...of(
    text,
    "toLowerCase toUpperCase toLocaleLowerCase toLocaleUpperCase trim trimStart trimEnd padStart padEnd repeat normalize",
    "toISOString toFixed toPrecision toExponential",
  ),
  ...of(bool, "startsWith endsWith includes some every hasOwn isInteger isFinite isNaN"),
  ...of(
    float8,
    "getTime getUTCFullYear getUTCMonth getUTCDate getUTCDay getUTCHours getUTCMinutes getUTCSeconds getUTCMilliseconds",
  ),
]);

/** Methods that give a string when called on one. */
const stringMethods = new Set("slice substring replace replaceAll charAt concat toString".split(" "));

function of<T>(type: T, ...names: string[]): [string, T][] {
  return names.flatMap((list) => list.split(" ").map((name): [string, T] => [name, type]));
}

export function evaluate(node: AnyNode, scope: Scope): Value {
  switch (node.type) {
    case "Identifier":
      if (node.name === "undefined") return { kind: "constant", value: null };
      return scope.get(node.name) ?? unknown;
    case "Literal":
      return literal(node.value);
    case "TemplateLiteral":
      if (node.expressions.length > 0) return computed(text);
      return { kind: "constant", value: node.quasis[0]!.value.cooked! };
    case "ChainExpression":
      return evaluate(node.expression, scope);
    case "MemberExpression":
      return member(node, scope);
    case "ObjectExpression":
      return object(node, scope);
    case "ArrayExpression": {
      const elements = node.elements.map((e) =>
        e === null || e.type === "SpreadElement" ? null : evaluate(e, scope),
      );
      return elements.every((e) => e !== null) ? { kind: "array", elements } : unknown;
    }
    case "ConditionalExpression":
      return eitherValue(evaluate(node.consequent, scope), evaluate(node.alternate, scope));
    case "LogicalExpression":
      return logical(node.operator, evaluate(node.left, scope), evaluate(node.right, scope));
    case "UnaryExpression":
      return unary(node.operator, evaluate(node.argument, scope));
    case "BinaryExpression":
      return binary(node.operator, guessOf(evaluate(node.left, scope)), guessOf(evaluate(node.right, scope)));
    case "CallExpression":
      return call(node, scope);
    default:
      return unknown;
  }
}

function literal(value: unknown): Value {
  if (
    value === null ||
    typeof value === "string" ||
    typeof value === "number" ||
    typeof value === "boolean"
  ) {
    return { kind: "constant", value };
  }
  return unknown;
}

function member(node: MemberExpression, scope: Scope): Value {
  const target = evaluate(node.object, scope);
  const name = propertyName(node.property, node.computed);
  if (name === null) return unknown;
  if (target.kind === "object") {
    const value = target.properties.get(name);
    if (value === undefined) return absent(name, target.properties);
    // A property of null is an error, which only a call can meet.
    return target.maybeNull && !node.optional
      ? { kind: "computed", guess: guessOf(value), origin: name }
      : value;
  }
  const guess = guessOf(target);
  const isText = typeof guess === "object" && guess.type.name === "text";
  return name === "length" && isText ? computed(int4, node.optional) : unknown;
}

/** In JavaScript it would be undefined for every row, which nobody means. */
function absent(name: string, properties: ReadonlyMap<string, Value>): Value {
  if (name in Object.prototype) return unknown;
  throw new EvertError("undefined_column", `the row has no column "${name}"`, {
    hint: `It has ${[...properties.keys()].join(", ")}.`,
  });
}

/** Later properties win, in the place of the first; `__proto__`, getters and computed names make the rest unknown. */
function object(node: ObjectExpression, scope: Scope): Value {
  const properties = new Map<string, Value>();
  for (const part of node.properties) {
    if (part.type === "SpreadElement") {
      const spread = evaluate(part.argument, scope);
      if (spread.kind === "constant" && typeof spread.value !== "string") continue;
      if (spread.kind !== "object") return unknown;
      for (const [name, value] of spread.properties) {
        const before = properties.get(name);
        // Spreading null keeps what was there.
        const kept = spread.maybeNull && before !== undefined;
        properties.set(
          name,
          kept ? { kind: "computed", guess: either(guessOf(before), guessOf(value)) } : value,
        );
      }
      continue;
    }
    const name = propertyName(part.key, part.computed);
    if (name === null || part.kind !== "init" || part.method || (name === "__proto__" && !part.shorthand))
      return unknown;
    properties.set(name, evaluate(part.value, scope));
  }
  return { kind: "object", properties, maybeNull: false };
}

function logical(operator: string, left: Value, right: Value): Value {
  const both = eitherValue(left, right);
  const guess = guessOf(both);
  const ofRight = guessOf(right);
  if (operator === "&&" || typeof guess !== "object" || typeof ofRight !== "object") return both;
  return {
    kind: "computed",
    guess: { type: guess.type, nullable: ofRight.nullable },
    origin: originOf(both),
  };
}

function unary(operator: string, argument: Value): Value {
  switch (operator) {
    case "!":
      return computed(bool);
    case "typeof":
      return computed(text);
    case "-":
      if (argument.kind === "constant" && typeof argument.value === "number") {
        return { kind: "constant", value: -argument.value };
      }
      return computed(float8);
    case "+":
    case "~":
      return computed(float8);
    default:
      return unknown;
  }
}

const comparisons = new Set("== != === !== < <= > >= in instanceof".split(" "));

function binary(operator: string, left: Guess, right: Guess): Value {
  if (comparisons.has(operator)) return computed(bool);
  if (operator !== "+") return computed(float8);
  if (typeof left !== "object" || typeof right !== "object") return unknown;
  if (isString(left.type) || isString(right.type)) return computed(text);
  return isNumber(left.type) && isNumber(right.type) ? computed(float8) : unknown;
}

function call(node: CallExpression, scope: Scope): Value {
  const callee = node.callee;
  if (callee.type === "Identifier" && !scope.has(callee.name)) {
    if (callee.name === "String") return computed(text);
    if (callee.name === "Number" || callee.name === "parseInt" || callee.name === "parseFloat")
      return computed(float8);
    return callee.name === "Boolean" ? computed(bool) : unknown;
  }
  if (callee.type !== "MemberExpression") return unknown;
  const name = propertyName(callee.property, callee.computed);
  if (name === null) return unknown;
  const target = callee.object;
  if (target.type === "Identifier" && target.name === "Math" && !scope.has("Math")) return computed(float8);
  const known = methodTypes.get(name);
  if (known !== undefined) return computed(known, callee.optional);
  const guess = guessOf(evaluate(target, scope));
  const onString = typeof guess === "object" && isString(guess.type);
  return onString && stringMethods.has(name) ? computed(text, callee.optional) : unknown;
}
