/**
 * A function of the user as its own text says it is: parameters, body, which names can be relied on.
 *
 * Only the text is read; the function is never run to find out what it does, for what it does with a stand-in says
 * nothing about a real row (`p.x ?? 0`, `p.paid ? a : b`).
 */
import {
  type AnyNode,
  type ArrowFunctionExpression,
  type Expression,
  type FunctionExpression,
  type Pattern,
  parseExpressionAt,
  type Statement,
} from "acorn";
import { EvertError } from "../base/errors.ts";

// biome-ignore lint/complexity/noBannedTypes: any function of the user, only read and kept here
export type UserCode = Function;

export interface FunctionSource {
  readonly text: string;
  readonly parameters: readonly Pattern[];
  /** The statements, the one expression of an arrow function as a return. */
  readonly body: readonly Statement[];
  readonly generator: boolean;
  /** Names declared more than once or assigned to: what they stand for depends on where one looks. */
  readonly ambiguous: ReadonlySet<string>;
}

/**
 * null when the text cannot be read (native and bound functions).
 * @throws EvertError for an async function: a step of the engine cannot wait.
 */
export function functionSource(fn: UserCode): FunctionSource | null {
  const text = Function.prototype.toString.call(fn);
  const node = parseFunction(text);
  if (node === null) return null;
  if (node.async) {
    throw new EvertError("invalid_table_definition", "an async function cannot be part of a view", {
      detail: `It would make the view depend on more than the log: ${shorten(text)}`,
      hint: "Fetch what you need before you append, and append it as a fact.",
    });
  }
  const body = node.body;
  return {
    text,
    parameters: node.params,
    body: body.type === "BlockStatement" ? body.body : [returnOf(body)],
    generator: node.generator,
    ambiguous: ambiguousNames(node),
  };
}

function returnOf(argument: Expression): Statement {
  return { type: "ReturnStatement", argument, start: argument.start, end: argument.end };
}

function parseFunction(text: string): ArrowFunctionExpression | FunctionExpression | null {
  const plain = parseExpression(`(${text}\n)`);
  if (plain !== null) return isFunction(plain) ? plain : null;
  // The text of a method, `add(a, b) { ... }`, is only an expression inside an object.
  const holder = parseExpression(`({${text}\n})`);
  const member = holder?.type === "ObjectExpression" ? holder.properties[0] : undefined;
  return member?.type === "Property" && isFunction(member.value) ? member.value : null;
}

function isFunction(node: AnyNode): node is ArrowFunctionExpression | FunctionExpression {
  return node.type === "ArrowFunctionExpression" || node.type === "FunctionExpression";
}

function parseExpression(text: string): Expression | null {
  try {
    return parseExpressionAt(text, 0, { ecmaVersion: "latest" });
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Children of a node that are nodes, in order of the text. */
export function childNodes(node: AnyNode): AnyNode[] {
  const out: AnyNode[] = [];
  for (const part of Object.values(node)) {
    for (const child of Array.isArray(part) ? part : [part]) {
      if (typeof child === "object" && child !== null && typeof child.type === "string") out.push(child);
    }
  }
  return out;
}

function ambiguousNames(root: AnyNode): ReadonlySet<string> {
  const declared = new Set<string>();
  const out = new Set<string>();
  const declare = (pattern: Pattern | null | undefined) => {
    for (const name of patternNames(pattern)) {
      if (declared.has(name)) out.add(name);
      declared.add(name);
    }
  };
  const visit = (node: AnyNode) => {
    switch (node.type) {
      case "ArrowFunctionExpression":
      case "FunctionExpression":
      case "FunctionDeclaration":
        node.params.forEach(declare);
        declare(node.id);
        break;
      case "ClassExpression":
      case "ClassDeclaration":
      case "VariableDeclarator":
        declare(node.id);
        break;
      case "CatchClause":
        declare(node.param);
        break;
      case "AssignmentExpression":
        for (const name of patternNames(node.left)) out.add(name);
        break;
      case "UpdateExpression":
        if (node.argument.type === "Identifier") out.add(node.argument.name);
        break;
      case "ForInStatement":
      case "ForOfStatement":
        if (node.left.type !== "VariableDeclaration")
          for (const name of patternNames(node.left)) out.add(name);
        break;
    }
    childNodes(node).forEach(visit);
  };
  visit(root);
  return out;
}

/** Names a pattern binds. */
function patternNames(pattern: Pattern | null | undefined): string[] {
  switch (pattern?.type) {
    case "Identifier":
      return [pattern.name];
    case "ObjectPattern":
      return pattern.properties.flatMap((p) => patternNames(p.type === "Property" ? p.value : p.argument));
    case "ArrayPattern":
      return pattern.elements.flatMap(patternNames);
    case "RestElement":
      return patternNames(pattern.argument);
    case "AssignmentPattern":
      return patternNames(pattern.left);
    default:
      return [];
  }
}

/** The name of a property that is written out: `.a`, `["a"]`, `{ a: … }`; null for one that is computed. */
export function propertyName(key: AnyNode, isComputed: boolean): string | null {
  if (key.type === "Identifier" && !isComputed) return key.name;
  return key.type === "Literal" && (typeof key.value === "string" || typeof key.value === "number")
    ? String(key.value)
    : null;
}

/**
 * Which properties of its i-th row the function looks at, or null for all of them. A row handed to the function needs no
 * others, and a text column that is not looked at need not be decoded.
 */
export function propertiesUsed(source: FunctionSource, parameter: number): ReadonlySet<string> | null {
  if (mentions(source, "arguments")) return null;
  if (source.parameters.some((p) => p.type === "RestElement")) return null;
  const pattern = source.parameters[parameter];
  if (pattern === undefined) return new Set();
  if (pattern.type === "ObjectPattern") return patternProperties(pattern.properties);
  if (pattern.type !== "Identifier") return null;
  const used = new Set<string>();
  const roots: AnyNode[] = [...source.parameters.filter((p) => p !== pattern), ...source.body];
  return roots.every((root) => readsOnlyProperties(root, pattern.name, used)) ? used : null;
}

function patternProperties(properties: readonly AnyNode[]): ReadonlySet<string> | null {
  const used = new Set<string>();
  for (const p of properties) {
    const name = p.type === "Property" ? propertyName(p.key, p.computed) : null;
    if (name === null) return null;
    used.add(name);
  }
  return used;
}

/** Whether below `node` every mention of the variable reads one of its properties, which are added to `used`. */
function readsOnlyProperties(node: AnyNode, variable: string, used: Set<string>): boolean {
  if (node.type === "Identifier") return node.name !== variable;
  if (
    node.type === "MemberExpression" &&
    node.object.type === "Identifier" &&
    node.object.name === variable
  ) {
    const name = propertyName(node.property, node.computed);
    if (name === null) return false;
    used.add(name);
    return true;
  }
  return references(node).every((child) => readsOnlyProperties(child, variable, used));
}

function mentions(source: FunctionSource, name: string): boolean {
  const inside = (node: AnyNode): boolean =>
    node.type === "Identifier" ? node.name === name : references(node).some(inside);
  return source.body.some(inside) || source.parameters.some(inside);
}

/** Children that may mention a variable: not the names of properties. */
function references(node: AnyNode): AnyNode[] {
  if (node.type === "MemberExpression" && !node.computed) return [node.object];
  if (node.type === "Property" && !node.computed) return [node.value];
  return childNodes(node);
}

/** A function's text on one line, for messages. */
export function shorten(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}
