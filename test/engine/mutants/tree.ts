/**
 * A statement as a tree of its text, to be cut and put together again: PostgreSQL's own parser gives a tree, and nothing that makes a text of one. So, roughly:
 *
 * 1. Tokens, as PostgreSQL's scanner has them, without comments.
 * 2. Brackets, and CASE … END, are groups.
 * 3. What is between brackets, and the whole, is split by UNION, INTERSECT and EXCEPT into queries; a query by the words that begin a clause; a clause by commas (and the joins of FROM) into
 *    elements; an element by AND, OR and operators into expressions, down to single terms. What stands behind `::` is a type.
 *
 * A part has a sort. Wherever a part stands, one of its sort from elsewhere may stand, as far as the grammar goes: what it means there is for those who judge to find out. The tree knows nothing of precedence
 * (`a + b * c` are three terms in a row), and takes what it does not know for a row of tokens: the text is always the same as before.
 */
export type Sort = "query" | "clause" | "element" | "source" | "expression" | "type" | "group";

export interface Part {
  readonly sort: Sort;
  /** Tokens and parts, in the order of the text. */
  readonly nodes: Node[];
}

export type Node = string | Part;

const scanner = new RegExp(
  [
    /--[^\n]*|\/\*[\s\S]*?\*\//, // comments
    /\$(\w*)\$[\s\S]*?\$\1\$/,
    /[eE]'(?:[^'\\]|\\[\s\S]|'')*'|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'/,
    /(?:[uU]&)?"(?:[^"]|"")*"/,
    /\$\d+/,
    /0[xXoObB][\da-fA-F_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?/,
    /[\p{L}_\u0080-\uffff][\w$\u0080-\uffff]*/u,
    /::|:=|=>|\.\./,
    /[+\-*/<>=~!@#%^&|`?]+/,
    /\S/,
  ]
    .map((part) => part.source)
    .join("|"),
  "gu",
);

export function tokensOf(text: string): string[] {
  return [...text.matchAll(scanner)].map(([token]) => token).filter((token) => !/^(?:--|\/\*)/.test(token));
}

const closing: Readonly<Record<string, string>> = { "(": ")", "[": "]", CASE: "END" };
const setWords = /^(?:UNION|INTERSECT|EXCEPT)$/i;
const clauseWords =
  /^(?:WITH|SELECT|FROM|WHERE|GROUP|HAVING|WINDOW|ORDER|LIMIT|OFFSET|FETCH|VALUES|SET|RETURNING|INSERT|UPDATE|DELETE|PARTITION|ADD|ALTER|DROP|RENAME)$/i;
const joinWords = /^(?:JOIN|CROSS|NATURAL|LEFT|RIGHT|FULL|INNER|OUTER)$/i;
const operatorToken = /^[+\-*/<>=~!@#%^&|`?]+$/;
/** Between operands. */
const operatorWords =
  /^(?:AND|OR|LIKE|ILIKE|IN|IS|BETWEEN|SIMILAR|NOT|WHEN|THEN|ELSE|ON|USING|AS|OVER|FILTER|DESC|ASC|NULLS|BY|DISTINCT|ALL|ANY|SOME|OVERLAPS)$/i;
const word = /^[\p{L}_]/u;

export function treeOf(text: string): Part {
  return { sort: "query", nodes: queries(grouped(tokensOf(text))) };
}

/** Brackets as parts, what is in them not yet split. */
function grouped(tokens: readonly string[]): Node[] {
  const open: { nodes: Node[]; until: string }[] = [{ nodes: [], until: "" }];
  for (const token of tokens) {
    const top = open.at(-1)!;
    if (top.until !== "" && token.toUpperCase() === top.until) {
      open.pop();
      const [first, ...inside] = top.nodes;
      open.at(-1)!.nodes.push({ sort: "group", nodes: [first!, ...queries(inside), token] });
      continue;
    }
    const until = closing[token.toUpperCase()];
    if (until === undefined) top.nodes.push(token);
    else open.push({ nodes: [token], until });
  }
  // One that is not closed is a row of tokens.
  while (open.length > 1) {
    const { nodes } = open.pop()!;
    open.at(-1)!.nodes.push(...nodes);
  }
  return open[0]!.nodes;
}

/** Splits before each node that `begins` says; its words come with what follows. */
function before(nodes: readonly Node[], begins: (node: Node, i: number) => boolean): Node[][] {
  const runs: Node[][] = [[]];
  for (const [i, node] of nodes.entries()) {
    if (begins(node, i) && (i > 0 || runs[0]!.length > 0)) runs.push([]);
    runs.at(-1)!.push(node);
  }
  return runs;
}

const is = (node: Node | undefined, pattern: RegExp): node is string =>
  typeof node === "string" && pattern.test(node);

function queries(nodes: readonly Node[]): Node[] {
  if (!nodes.some((node) => is(node, clauseWords))) return elements(nodes, "element");
  const found: Node[] = [];
  let run: Node[] = [];
  const end = (): void => {
    if (run.length > 0) found.push({ sort: "query", nodes: clauses(run) });
    run = [];
  };
  for (const [i, node] of nodes.entries()) {
    if (is(node, setWords) || (is(node, /^ALL$/i) && is(nodes[i - 1], setWords))) {
      end();
      found.push(node);
    } else run.push(node);
  }
  end();
  // A query alone is its group's, or the statement's.
  return found.length === 1 ? (found[0] as Part).nodes : found;
}

function clauses(nodes: readonly Node[]): Node[] {
  const begins = (node: Node, i: number): boolean =>
    is(node, clauseWords) && !is(nodes[i - 1], /^(?:DISTINCT|DELETE|DO|FOR|WITHIN|IS|OR)$/i);
  return before(nodes, begins).map((run) => {
    const keywords = is(run[0], /^(?:GROUP|ORDER|PARTITION)$/i)
      ? 2
      : is(run[0], /^(?:INSERT|DELETE)$/i)
        ? 2
        : 1;
    const sort = is(run[0], /^(?:FROM|DELETE)$/i) ? "source" : "element";
    return { sort: "clause", nodes: [...run.slice(0, keywords), ...elements(run.slice(keywords), sort)] };
  });
}

function elements(nodes: readonly Node[], sort: "element" | "source"): Node[] {
  const found: Node[] = [];
  let run: Node[] = [];
  const end = (): void => {
    if (run.length > 0) found.push({ sort, nodes: expressions(run) });
    run = [];
  };
  for (const [i, node] of nodes.entries()) {
    const called = typeof nodes[i + 1] === "object";
    const splits =
      node === "," || node === ":" || node === ";" || (sort === "source" && is(node, joinWords) && !called);
    if (splits) {
      end();
      found.push(node);
    } else run.push(node);
  }
  end();
  return found;
}

function expressions(nodes: readonly Node[]): Node[] {
  const found: Node[] = [];
  let run: Node[] = [];
  const end = (): void => {
    if (run.length > 0) found.push({ sort: "expression", nodes: run });
    run = [];
  };
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i]!;
    if (node === "::") {
      const type = typeAt(nodes, i + 1);
      run.push("::", { sort: "type", nodes: type });
      i += type.length;
    } else if (
      is(node, operatorWords) ||
      (is(node, operatorToken) && nodes[i - 1] !== "." && nodes.length > 1)
    ) {
      end();
      found.push(node);
    } else run.push(node);
  }
  end();
  return found;
}

function typeAt(nodes: readonly Node[], from: number): Node[] {
  let to = from;
  while (is(nodes[to], word) && !is(nodes[to], operatorWords)) to++;
  while (typeof nodes[to] === "object" && (nodes[to] as Part).sort === "group") to++;
  return nodes.slice(from, Math.max(to, from));
}

const noSpaceBefore = /^(?:[,)\].;]|::)$/;
const noSpaceBehind = /^(?:[([.]|::)$/;

export function textOf(node: Node): string {
  let text = "";
  let last = "(";
  const say = (part: Node): void => {
    if (typeof part !== "string") {
      for (const inner of part.nodes) say(inner);
      return;
    }
    text += noSpaceBefore.test(part) || noSpaceBehind.test(last) ? part : ` ${part}`;
    last = part;
  };
  say(node);
  return text;
}

export function copyOf(part: Part): Part {
  return {
    sort: part.sort,
    nodes: part.nodes.map((node) => (typeof node === "string" ? node : copyOf(node))),
  };
}

/** Where a node stands. */
export interface Place {
  readonly parent: Part;
  readonly at: number;
}

/** Every place below, that of a part before those within it. */
export function placesOf(part: Part, into: Place[] = []): Place[] {
  for (const [at, node] of part.nodes.entries()) {
    into.push({ parent: part, at });
    if (typeof node !== "string") placesOf(node, into);
  }
  return into;
}
