/**
 * Whether a function certainly returns, by its text: then nobody needs to watch over it while it runs, which costs more than most functions do.
 *
 * It does if there is no loop in it and it calls nothing but methods and functions of the language that take no time worth speaking of: no
 * function of its own, no callback, no regular expression.
 */
import type { AnyNode } from "acorn";
import { childNodes, functionSource, propertyName, type UserCode } from "./function-source.ts";

const methods: ReadonlySet<string> = new Set(
  (
    "at charAt charCodeAt codePointAt concat endsWith includes indexOf lastIndexOf padEnd padStart slice startsWith substring toFixed " +
    "toLowerCase toString toUpperCase trim trimEnd trimStart"
  ).split(" "),
);

/** Called by themselves; of Math all but nothing. */
const functions: ReadonlySet<string> = new Set(["Boolean", "Number", "String"]);

export function isBounded(fn: UserCode): boolean {
  const source = functionSource(fn);
  return source !== null && !source.generator && [...source.parameters, ...source.body].every(isBoundedNode);
}

function isBoundedNode(node: AnyNode): boolean {
  switch (node.type) {
    case "ForStatement":
    case "ForInStatement":
    case "ForOfStatement":
    case "WhileStatement":
    case "DoWhileStatement":
    case "NewExpression":
    case "TaggedTemplateExpression":
    case "ImportExpression":
    case "YieldExpression":
    case "AwaitExpression":
    case "ArrowFunctionExpression":
    case "FunctionExpression":
    case "FunctionDeclaration":
    case "ClassDeclaration":
    case "ClassExpression":
    case "SpreadElement":
      return node.type === "SpreadElement" && isBoundedNode(node.argument);
    case "Literal":
      return !("regex" in node && node.regex !== undefined);
    case "CallExpression":
      return isBoundedCall(node.callee) && node.arguments.every(isBoundedNode);
    default:
      return childNodes(node).every(isBoundedNode);
  }
}

function isBoundedCall(callee: AnyNode): boolean {
  if (callee.type === "Identifier") return functions.has(callee.name);
  if (callee.type !== "MemberExpression") return false;
  const name = propertyName(callee.property, callee.computed);
  if (name === null) return false;
  const { object } = callee;
  if (object.type === "Identifier" && object.name === "Math") return true;
  return methods.has(name) && isBoundedNode(object);
}
