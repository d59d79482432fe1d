/**
 * Matches and what their groups hold, by PostgreSQL's rules (which are not Perl's):
 *
 * 1. Of all matches the leftmost counts, of these the longest, or the shortest if the pattern prefers that. A quantified atom prefers
 *    what its quantifier says, a branch what its first atom with a preference says, an alternation the longest.
 * 2. Within a match parts are settled from left to right: each takes the longest (or shortest) text that lets the rest have the remainder;
 *    of an alternation the first branch that fits.
 *
 * Whether a part and a rest fit a stretch of text their automata know, so that nothing is tried in vain: the work is bounded by the square of the
 * text. Back references alone must be tried, which can take for ever; all steps are counted, and too many are an error.
 */

import { caseVariants } from "./characters.ts";
import { type Budget, Machine, TooManySteps } from "./machine.ts";
import type { Node, Pattern } from "./syntax.ts";

/** Begin and end per group, the whole match first; -1 where a group took no part. */
export type Captures = Int32Array;

/** Some ten milliseconds' worth: nothing else happens meanwhile. A long text has steps for being read a few times. */
const STEPS_MAX = 500_000;
const STEPS_PER_CHARACTER = 4;

function stepsFor(text: Int32Array): number {
  return STEPS_MAX + STEPS_PER_CHARACTER * text.length;
}

export class Matcher {
  readonly pattern: Pattern;
  readonly #budget: Budget = { steps: 0 };
  readonly #groups = new Map<number, Node>();
  readonly #machines = new Map<Node, Machine>();
  readonly #rests = new Map<Node, Node[]>();
  readonly #repeats = new Map<Node, Map<string, Node>>();
  readonly #anywhere: Node;

  constructor(pattern: Pattern) {
    this.pattern = pattern;
    collectGroups(pattern.root, this.#groups);
    const any: Node = { kind: "set", test: () => true };
    const skipped: Node = { kind: "repeat", item: any, min: 0, max: Number.POSITIVE_INFINITY, greedy: false };
    this.#anywhere = { kind: "concat", items: [skipped, pattern.root] };
    // Built at once, so that a pattern too large is refused whatever the text.
    this.#machine(pattern.root);
  }

  /** Whether there is a match anywhere. @throws TooManySteps */
  test(text: Int32Array): boolean {
    if (this.pattern.hasBackreferences) return this.find(text, 0) !== null;
    this.#budget.steps = stepsFor(text);
    return this.#machine(this.#anywhere).shortest(text, 0, 0, text.length) >= 0;
  }

  /** The leftmost match from `from` on. @throws TooManySteps */
  find(text: Int32Array, from: number): Captures | null {
    this.#budget.steps = stepsFor(text);
    const { root } = this.pattern;
    const machine = this.#machine(root);
    const shortest = preference(root) === "shortest";
    const first = this.#machine(this.#anywhere).shortest(text, from, from, text.length);
    if (first < 0) return null;
    for (let start = from; start <= text.length; start++) {
      let end = shortest
        ? machine.shortest(text, start, start, text.length)
        : machine.longest(text, start, text.length);
      while (end >= 0) {
        const captures = new Int32Array(2 * (this.pattern.groups + 1)).fill(-1);
        if (this.#settle(root, text, start, end, captures)) {
          captures[0] = start;
          captures[1] = end;
          return captures;
        }
        if (shortest) end = end < text.length ? machine.shortest(text, start, end + 1, text.length) : -1;
        else end = end > start ? machine.longest(text, start, end - 1) : -1;
      }
    }
    return null;
  }

  #machine(node: Node): Machine {
    let machine = this.#machines.get(node);
    if (machine === undefined) {
      machine = new Machine(node, this.#groups, this.#budget);
      this.#machines.set(node, machine);
    }
    return machine;
  }

  #spend(): void {
    if (--this.#budget.steps < 0) throw new TooManySteps();
  }

  /** Fills in the groups of a node that fits the stretch; false where back references do not fit. */
  #settle(node: Node, text: Int32Array, begin: number, end: number, captures: Captures): boolean {
    this.#spend();
    switch (node.kind) {
      case "empty":
      case "set":
      case "constraint":
      case "look":
        return true;
      case "backreference":
        return this.#isCopy(node.index, text, begin, end, captures);
      case "group":
        if (!this.#settle(node.item, text, begin, end, captures)) return false;
        captures[2 * node.index] = begin;
        captures[2 * node.index + 1] = end;
        return true;
      case "concat":
        return !hasParts(node) || this.#settleConcat(this.#restsOf(node), 0, text, begin, end, captures);
      case "alternate":
        if (!hasParts(node)) return true;
        return node.items.some(
          (item) =>
            this.#machine(item).matches(text, begin, end) && this.#settle(item, text, begin, end, captures),
        );
      case "repeat":
        if (!hasParts(node) || (node.min === 0 && begin === end)) return true;
        return this.#settleRepeat(node, 0, text, begin, end, captures);
    }
  }

  /** rests[i]: item i; rests[i + count]: what follows item i. */
  #restsOf(node: Node & { kind: "concat" }): Node[] {
    let rests = this.#rests.get(node);
    if (rests === undefined) {
      const { items } = node;
      rests = [...items, ...items.map((_, i): Node => ({ kind: "concat", items: items.slice(i + 1) }))];
      this.#rests.set(node, rests);
    }
    return rests;
  }

  #settleConcat(
    rests: readonly Node[],
    index: number,
    text: Int32Array,
    begin: number,
    end: number,
    captures: Captures,
  ): boolean {
    const count = rests.length / 2;
    const item = rests[index]!;
    if (index === count - 1) return this.#settle(item, text, begin, end, captures);
    const rest = this.#machine(rests[index + count]!);
    for (const middle of this.#ends(item, text, begin, end)) {
      this.#spend();
      if (!rest.matches(text, middle, end)) continue;
      if (
        this.#settle(item, text, begin, middle, captures) &&
        this.#settleConcat(rests, index + 1, text, middle, end, captures)
      )
        return true;
      clear(rests[index + count]!, captures);
      clear(item, captures);
    }
    return false;
  }

  /** Where a node that begins here can end, in the order it prefers. */
  *#ends(node: Node, text: Int32Array, begin: number, limit: number): Generator<number> {
    const machine = this.#machine(node);
    if (preference(node) === "shortest") {
      let end = machine.shortest(text, begin, begin, limit);
      while (end >= 0) {
        yield end;
        end = end < limit ? machine.shortest(text, begin, end + 1, limit) : -1;
      }
      return;
    }
    let end = machine.longest(text, begin, limit);
    while (end >= 0) {
      yield end;
      end = end > begin ? machine.longest(text, begin, end - 1) : -1;
    }
  }

  /** The iteration after the first `done`. An empty one is taken only where the least number asks for it. */
  #settleRepeat(
    node: Node & { kind: "repeat" },
    done: number,
    text: Int32Array,
    begin: number,
    end: number,
    captures: Captures,
  ): boolean {
    if (begin === end && done >= node.min && done > 0) return true;
    if (done >= node.max) return false;
    const rest = this.#machine(this.#remainder(node, done + 1));
    for (const middle of this.#ends(node.item, text, begin, end)) {
      this.#spend();
      if (middle === begin && done >= node.min) continue;
      if (!rest.matches(text, middle, end)) continue;
      clear(node.item, captures);
      if (
        this.#settle(node.item, text, begin, middle, captures) &&
        this.#settleRepeat(node, done + 1, text, middle, end, captures)
      )
        return true;
    }
    return false;
  }

  #remainder(node: Node & { kind: "repeat" }, done: number): Node {
    const [min, max] = [Math.max(0, node.min - done), Math.max(0, node.max - done)];
    let known = this.#repeats.get(node);
    if (known === undefined) this.#repeats.set(node, (known = new Map()));
    const key = `${min},${max}`;
    let made = known.get(key);
    if (made === undefined) known.set(key, (made = { ...node, min, max }));
    return made;
  }

  /** Whether the stretch is the group's text once more. */
  #isCopy(index: number, text: Int32Array, begin: number, end: number, captures: Captures): boolean {
    const [from, to] = [captures[2 * index]!, captures[2 * index + 1]!];
    if (from < 0 || to - from !== end - begin) return false;
    for (let i = 0; i < to - from; i++) {
      const [a, b] = [text[from + i]!, text[begin + i]!];
      if (a !== b && !(this.pattern.options.ignoreCase && caseVariants(a).includes(b))) return false;
    }
    return true;
  }
}

function collectGroups(node: Node, into: Map<number, Node>): void {
  if (node.kind === "group") into.set(node.index, node.item);
  for (const child of childrenOf(node)) collectGroups(child, into);
}

function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case "group":
    case "repeat":
    case "look":
      return [node.item];
    case "concat":
    case "alternate":
      return node.items;
    default:
      return [];
  }
}

const partsKnown = new WeakMap<Node, boolean>();

/** Whether there is a group or a back reference inside. */
function hasParts(node: Node): boolean {
  let known = partsKnown.get(node);
  if (known === undefined) {
    known = node.kind === "group" || node.kind === "backreference" || childrenOf(node).some(hasParts);
    partsKnown.set(node, known);
  }
  return known;
}

function clear(node: Node, captures: Captures): void {
  if (!hasParts(node)) return;
  if (node.kind === "group") captures.fill(-1, 2 * node.index, 2 * node.index + 2);
  for (const child of childrenOf(node)) clear(child, captures);
}

/** null: none of its own. */
export function preference(node: Node): "longest" | "shortest" | null {
  switch (node.kind) {
    case "repeat":
      if (node.greedy === null) return preference(node.item);
      return node.greedy ? "longest" : "shortest";
    case "group":
      return preference(node.item);
    case "concat":
      for (const item of node.items) {
        const own = preference(item);
        if (own !== null) return own;
      }
      return null;
    case "alternate":
      return "longest";
    default:
      return null;
  }
}
