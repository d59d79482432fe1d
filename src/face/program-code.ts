/**
 * Where a type is declared in the text of a program, as far as that can be told without a compiler.
 *
 * What is in comments, quotes and regular expressions is no code. A name is taken for the type that is declared once, outside of all braces: one that is
 * declared in a block, a second time, or as the parameter of something generic may mean something else where it is used.
 */

export interface Declaration {
  /** Of an interface, what it extends. */
  readonly bases: string | null;
  /** From its braces, or from what stands behind the equals sign. */
  readonly text: string;
}

const PIECE =
  /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|"(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?|[`{}/]|[^"'`{}/]+/g;
const TEMPLATE_TEXT = /(?:[^`\\$]+|\\[\s\S]|\$(?!\{))*/y;
const REGULAR_EXPRESSION = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
/** Behind these a slash begins a regular expression; behind a value it divides. */
const BEFORE_EXPRESSION =
  /(?:^|[([{},;=:?!&|+\-*%^~]|\b(?:return|typeof|case|in|of|else|throw|await|yield))\s*$/;

let lastText = "";
let lastCode = "";

/** The text with blanks in the place of what is no code, so that all else stands where it did. Backticks stay. */
export function codeOf(text: string): string {
  if (text !== lastText) {
    lastCode = blanked(text);
    lastText = text;
  }
  return lastCode;
}

function blanked(text: string): string {
  const blank = (piece: string): string => piece.replaceAll(/[^\n]/g, " ");
  let code = "";
  /** Braces that are open in each template's expressions. */
  const open: number[] = [];
  const at = (pattern: RegExp, from: number): string => {
    pattern.lastIndex = from;
    return pattern.exec(text)?.[0] ?? "";
  };
  const template = (): void => {
    code += blank(at(TEMPLATE_TEXT, code.length));
    if (text[code.length] === "`") code += "`";
    else if (code.length < text.length) {
      code += "  ";
      open.push(0);
    }
  };
  while (code.length < text.length) {
    const piece = at(PIECE, code.length);
    const last = open.length - 1;
    if (piece === "`") {
      code += piece;
      template();
    } else if (piece === "}" && open[last] === 0) {
      code += " ";
      open.pop();
      template();
    } else if (piece === "{" || piece === "}") {
      if (last >= 0) open[last]! += piece === "{" ? 1 : -1;
      code += piece;
    } else if (piece === "/") {
      const isExpression = BEFORE_EXPRESSION.test(code.slice(-64));
      code += (isExpression && blank(at(REGULAR_EXPRESSION, code.length))) || piece;
    } else code += /^["'/]/.test(piece) ? blank(piece) : piece;
  }
  return code;
}

/** Null: there is none. Undefined: it cannot be told which is meant. */
export function declarationOf(name: string, program: string): Declaration | null | undefined {
  const code = codeOf(program);
  const word = name.replaceAll("$", "\\$");
  if (isParameter(word, code)) return undefined;
  const pattern = `(?<![\\w$.])(interface|type|class|enum)\\s+${word}(?![\\w$])\\s*(?:extends\\s+([^{]*))?`;
  const [match, second] = code.matchAll(new RegExp(pattern, "gu"));
  if (match === undefined) return null;
  const [head, kind, extended] = match;
  const isTold = (kind === "type" && extended === undefined) || kind === "interface";
  if (second !== undefined || !isTold || depthAt(code, match.index) !== 0) return undefined;
  let from = match.index + head.length;
  // Braces in the arguments of a base are not those of the interface.
  if (extended !== undefined && !/^[\w$.,\s]*$/.test(extended)) return undefined;
  if (code[from] === "=") from++;
  return { bases: extended ?? null, text: program.slice(from, endOf(code, from)) };
}

function depthAt(code: string, end: number): number {
  let depth = 0;
  for (let at = 0; at < end; at++) {
    if (code[at] === "{") depth++;
    else if (code[at] === "}") depth--;
  }
  return depth;
}

/** Whether something generic may have a parameter of that name: `<Name extends …`, `class Box<Name>`, `<Name>(`. */
function isParameter(word: string, code: string): boolean {
  const bound = `[<,]\\s*(?:const\\s+|in\\s+|out\\s+)*${word}\\s*(?:extends(?![\\w$])|=(?![=>]))`;
  const ofType = `(?<![\\w$.])(?:class|interface|type)\\s+[\\w$]+\\s*<[^;={(]*?(?<![\\w$])${word}(?![\\w$])`;
  if (new RegExp(`${bound}|${ofType}`, "u").test(code)) return true;
  for (const { index } of code.matchAll(new RegExp(`[<,]\\s*(?:const\\s+)?${word}\\s*(?=[,>])`, "gu"))) {
    const end = closingAngle(code, index);
    if (end >= 0 && /^\s*\(/.test(code.slice(end + 1, end + 64))) return true;
  }
  return false;
}

/** Of the angle brackets in which `from` stands; -1: there are none. */
function closingAngle(code: string, from: number): number {
  let open = 1;
  for (let at = from + 1; at < code.length; at++) {
    const c = code[at];
    if (c === "<") open++;
    else if (c === ">" && code[at - 1] !== "=" && --open === 0) return at;
    else if (c === ";") return -1;
  }
  return -1;
}

/** Where a declaration is over, at the latest. */
function endOf(code: string, from: number): number {
  let depth = 0;
  for (let at = from; at < code.length; at++) {
    const c = code[at];
    if (c === "{" || c === "(") depth++;
    else if (c === "}" || c === ")") depth--;
    else if (c === ";" && depth === 0) return at;
    if (depth < 0) return at;
    if (c === "\n" && depth === 0 && NEXT_STATEMENT.test(code.slice(at, at + 256))) return at;
  }
  return code.length;
}

const NEXT_STATEMENT = /^\s*(?:export|const|let|interface|type|function|import|class|async|await)\b/;
