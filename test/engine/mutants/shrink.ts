/** A statement made smaller for as long as the same is wrong with it: parts go, one after another, or are replaced by what is within them. */
import { copyOf, type Part, placesOf, textOf, treeOf } from "./tree.ts";

/** Candidates that are tried before it is left as it is. */
const TRIES_MAX = 600;

export async function shrink(tree: Part, fails: (candidate: Part) => Promise<boolean>): Promise<Part> {
  let best = tree;
  let tries = 0;
  for (let again = true; again; ) {
    again = false;
    for (const candidate of smaller(best)) {
      if (++tries > TRIES_MAX) return best;
      if (!(await fails(candidate))) continue;
      best = candidate;
      again = true;
      break;
    }
  }
  return best;
}

function* smaller(tree: Part): Generator<Part> {
  const length = textOf(tree).length;
  const count = placesOf(tree).length;
  const seen = new Set<string>();
  const candidate = function* (change: (parent: Part, at: number) => void, n: number): Generator<Part> {
    const copy = copyOf(tree);
    const { parent, at } = placesOf(copy)[n]!;
    change(parent, at);
    const text = textOf(copy);
    if (text.length >= length || seen.has(text)) return;
    seen.add(text);
    yield treeOf(text);
  };
  for (let n = 0; n < count; n++) {
    const { parent, at } = placesOf(tree)[n]!;
    const node = parent.nodes[at]!;
    if (typeof node === "string") {
      yield* candidate((p, i) => void p.nodes.splice(i, 1), n);
      continue;
    }
    yield* candidate((p, i) => void p.nodes.splice(i, 1), n);
    // With the comma, or whatever stands before it and behind it.
    if (at > 0) yield* candidate((p, i) => void p.nodes.splice(i - 1, 2), n);
    yield* candidate((p, i) => void p.nodes.splice(i, 2), n);
    for (const inner of node.nodes)
      if (typeof inner !== "string") yield* candidate((p, i) => void (p.nodes[i] = copyOf(inner)), n);
    if (node.sort === "group")
      yield* candidate(
        (p, i) =>
          void p.nodes.splice(
            i,
            1,
            ...node.nodes.slice(1, -1).map((x) => (typeof x === "string" ? x : copyOf(x))),
          ),
        n,
      );
    if (node.sort === "expression" || node.sort === "element") {
      yield* candidate((p, i) => void (p.nodes[i] = "1"), n);
      yield* candidate((p, i) => void (p.nodes[i] = "k"), n);
    }
    if (node.sort === "query") yield* candidate((p, i) => void (p.nodes[i] = "SELECT 1"), n);
    if (node.sort === "source") yield* candidate((p, i) => void (p.nodes[i] = "t"), n);
  }
}
