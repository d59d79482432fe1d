/** A jsonpath as PostgreSQL prints it: keys in quotes, operations in parentheses where they could be misread. */
import { quoteJson } from "../jsonb.ts";
import { type Head, type JsonPath, LAST, type Path, type Predicate, type Step } from "./tree.ts";

export function printPath({ strict, path }: JsonPath): string {
  return (strict ? "strict " : "") + pathText(path, true);
}

const WEAKEST = 0;
const priorities = { or: WEAKEST, and: 1, comparison: 2, sum: 3, product: 4, sign: 5, strongest: 6 } as const;

function priorityOf({ head }: Path): number {
  if (head.kind === "predicate") return predicatePriority(head.predicate);
  if (head.kind === "unary") return priorities.sign;
  if (head.kind !== "binary") return priorities.strongest;
  return head.op === "+" || head.op === "-" ? priorities.sum : priorities.product;
}

function predicatePriority({ kind }: Predicate): number {
  if (kind === "or" || kind === "and") return priorities[kind];
  return kind === "compare" || kind === "starts" ? priorities.comparison : priorities.strongest;
}

function pathText(path: Path, bracketed: boolean): string {
  const { head, steps } = path;
  const begin = headText(path, head, bracketed);
  // 1.type() would be no number.
  const isNumber = head.kind === "scalar" && /^[-\d]/.test(head.json) && steps.length > 0;
  return (isNumber ? `(${begin})` : begin) + steps.map(stepText).join("");
}

function headText(path: Path, head: Head, bracketed: boolean): string {
  const within = (text: string) => (bracketed ? `(${text})` : text);
  const operand = (p: Path) => pathText(p, priorityOf(p) <= priorityOf(path));
  switch (head.kind) {
    case "root":
      return "$";
    case "current":
      return "@";
    case "last":
      return "last";
    case "scalar":
      return head.json;
    case "variable":
      return `$${quoteJson(head.name, "")}`;
    case "binary":
      return within(`${operand(head.left)} ${head.op} ${operand(head.right)}`);
    case "unary":
      return within(head.op + operand(head.arg));
    case "predicate":
      return predicateText(head.predicate, bracketed);
  }
}

function predicateText(predicate: Predicate, bracketed: boolean): string {
  const within = (text: string) => (bracketed ? `(${text})` : text);
  const own = predicatePriority(predicate);
  const operand = (p: Path) => pathText(p, priorityOf(p) <= own);
  const side = (p: Predicate) => predicateText(p, predicatePriority(p) <= own);
  switch (predicate.kind) {
    case "and":
    case "or":
      return within(
        `${side(predicate.left)} ${predicate.kind === "and" ? "&&" : "||"} ${side(predicate.right)}`,
      );
    case "not":
      return `!(${predicateText(predicate.arg, false)})`;
    case "unknown":
      return `(${predicateText(predicate.arg, false)}) is unknown`;
    case "exists":
      return `exists (${pathText(predicate.arg, false)})`;
    case "compare":
      return within(`${operand(predicate.left)} ${predicate.op} ${operand(predicate.right)}`);
    case "starts":
      return within(`${operand(predicate.left)} starts with ${operand(predicate.right)}`);
    case "like": {
      const flags = predicate.flags === "" ? "" : ` flag "${predicate.flags}"`;
      return within(`${operand(predicate.left)} like_regex ${quoteJson(predicate.pattern, "")}${flags}`);
    }
  }
}

const level = (n: number) => (n === LAST ? "last" : String(n));

function stepText(step: Step): string {
  switch (step.kind) {
    case "key":
      return `.${quoteJson(step.name, "")}`;
    case "anyKey":
      return ".*";
    case "anyElement":
      return "[*]";
    case "anyDepth": {
      const { first, last } = step;
      if (first === 0 && last === LAST) return ".**";
      return first === last ? `.**{${level(first)}}` : `.**{${level(first)} to ${level(last)}}`;
    }
    case "index": {
      const range = ({ from, to }: (typeof step.ranges)[number]) =>
        pathText(from, false) + (to === null ? "" : ` to ${pathText(to, false)}`);
      return `[${step.ranges.map(range).join(",")}]`;
    }
    case "filter":
      return `?(${predicateText(step.predicate, false)})`;
    case "method":
      return `.${step.method}()`;
    case "decimal":
      return `.decimal(${[step.precision, step.scale].filter((n) => n !== null).join(",")})`;
  }
}
