/**
 * An automaton for a part of a pattern: how far a match reaches that begins here. Work is linear in the text.
 *
 * 1. The tree becomes states with transitions on sets of characters, empty moves, and moves that ask a constraint (Thompson).
 * 2. Characters that no set tells apart are one class.
 * 3. Sets of states become states of a deterministic automaton as they are met, with what stood before them: the constraints ask for no
 *    more than the characters on both sides. Where a lookaround asks for more, each step is taken anew.
 *
 * A back reference is taken for anything its group could match; match.ts looks at the text itself.
 */
import { isWord, type Test } from "./characters.ts";
import { BadPattern, type Constraint, type Node } from "./syntax.ts";

const STATES_MAX = 20_000;
const CACHED_MAX = 2000;
/** Characters whose class is looked up in an array. */
const COMMON_CODES = 256;

/** Transitions a call may take, of all its machines. */
export interface Budget {
  steps: number;
}

/** The call has taken all the steps it may. */
export class TooManySteps extends Error {}

type State =
  | { kind: "set"; set: number; next: number }
  | { kind: "split"; next: number[] }
  | { kind: "constraint"; constraint: Constraint; next: number }
  | { kind: "look"; machine: Machine; ahead: boolean; negative: boolean; next: number }
  | { kind: "match" };

/** What stands before a position: nothing, a newline, a character of a word, another one. */
type Before = 0 | 1 | 2 | 3;

interface Cached {
  readonly states: readonly number[];
  readonly before: Before;
  /** By class of the next character (0: none): whether it may end here, and where it goes. */
  readonly ends: (boolean | undefined)[];
  readonly next: (Cached | null | undefined)[];
}

export class Machine {
  readonly #states: State[] = [];
  readonly #sets: Test[] = [];
  readonly #setOf = new Map<Test, number>();
  readonly #start: number;
  readonly #hasLooks: boolean;
  readonly #classes = new Map<number, number>();
  /** 0: not known yet, for no character is of class 0. */
  readonly #commonClasses = new Int32Array(COMMON_CODES);
  /** By class: which sets hold it, and what it is for what follows. */
  readonly #members: { readonly sets: readonly boolean[]; readonly before: Before }[] = [
    { sets: [], before: 0 },
  ];
  readonly #classBySets = new Map<string, number>();
  #cache = new Map<string, Cached>();
  /** Where a run begins, by what stands before. */
  readonly #starts: (Cached | undefined)[] = [];
  readonly #groups: ReadonlyMap<number, Node>;
  readonly #budget: Budget;

  constructor(root: Node, groups: ReadonlyMap<number, Node>, budget: Budget) {
    this.#groups = groups;
    this.#budget = budget;
    const match = this.#add({ kind: "match" });
    this.#start = this.#compile(root, match);
    this.#hasLooks = this.#states.some((s) => s.kind === "look");
  }

  /** The end of the longest match that begins at `from` and ends at `limit` or before; -1 without one. */
  longest(text: Int32Array, from: number, limit: number): number {
    return this.#run(text, from, limit, from, false);
  }

  /** The first end, not before `least`. */
  shortest(text: Int32Array, from: number, least: number, limit: number): number {
    return this.#run(text, from, limit, least, true);
  }

  matches(text: Int32Array, from: number, to: number): boolean {
    return this.#run(text, from, to, to, false) === to;
  }

  #run(text: Int32Array, from: number, limit: number, least: number, first: boolean): number {
    let found = -1;
    const before = beforeOf(text, from);
    let at: Cached | null = (this.#starts[before] ??= this.#cached([this.#start], before));
    const common = this.#commonClasses;
    for (let i = from; at !== null; i++) {
      if (--this.#budget.steps < 0) throw new TooManySteps();
      let cls = 0;
      if (i < text.length) {
        const code = text[i]!;
        if (code < COMMON_CODES) cls = common[code]!;
        if (cls === 0) cls = this.#classOf(code);
      }
      if (this.#hasLooks || at.ends[cls] === undefined) this.#step(at, cls, text, i);
      if (at.ends[cls] === true && i >= least) {
        found = i;
        if (first) return found;
      }
      if (i >= limit) break;
      at = at.next[cls]!;
    }
    return found;
  }

  #cached(states: readonly number[], before: Before): Cached {
    const key = `${before}:${states.join()}`;
    let cached = this.#cache.get(key);
    if (cached === undefined) {
      if (this.#cache.size >= CACHED_MAX) {
        this.#cache = new Map();
        this.#starts.length = 0; // they hold on to all that is reached from them
      }
      cached = { states, before, ends: [], next: [] };
      this.#cache.set(key, cached);
    }
    return cached;
  }

  #step(at: Cached, cls: number, text: Int32Array, i: number): void {
    this.#budget.steps -= at.states.length;
    const { sets, before } = this.#members[cls]!;
    const seen = new Set<number>();
    const next = new Set<number>();
    let ends = false;
    const open = [...at.states];
    for (let s = open.pop(); s !== undefined; s = open.pop()) {
      if (seen.has(s)) continue;
      seen.add(s);
      const state = this.#states[s]!;
      switch (state.kind) {
        case "match":
          ends = true;
          break;
        case "split":
          open.push(...state.next);
          break;
        case "set":
          if (sets[state.set]) next.add(state.next);
          break;
        case "constraint":
          if (holds(state.constraint, at.before, cls === 0 ? 0 : before)) open.push(state.next);
          break;
        case "look":
          if (looksRight(state, text, i)) open.push(state.next);
          break;
      }
    }
    at.ends[cls] = ends;
    at.next[cls] =
      next.size === 0 || cls === 0
        ? null
        : this.#cached(
            [...next].sort((a, b) => a - b),
            before,
          );
  }

  #classOf(code: number): number {
    let cls = this.#classes.get(code);
    if (cls !== undefined) return cls;
    const sets = this.#sets.map((test) => test(code));
    const before: Before = code === 10 ? 1 : isWord(code) ? 2 : 3;
    const key = `${before}${sets.map((b) => (b ? "1" : "0")).join("")}`;
    cls = this.#classBySets.get(key);
    if (cls === undefined) {
      cls = this.#members.push({ sets, before }) - 1;
      this.#classBySets.set(key, cls);
    }
    if (code < COMMON_CODES) this.#commonClasses[code] = cls;
    else this.#classes.set(code, cls);
    return cls;
  }

  // ---- states from the tree -----------------------------------------------------------------------------------------

  #add(state: State): number {
    if (this.#states.length >= STATES_MAX) throw new BadPattern("regular expression is too complex");
    return this.#states.push(state) - 1;
  }

  /** The state from which the node leads to `next`. */
  #compile(node: Node, next: number): number {
    switch (node.kind) {
      case "empty":
        return next;
      case "set":
        return this.#add({ kind: "set", set: this.#setNumber(node.test), next });
      case "concat":
        return node.items.reduceRight((to, item) => this.#compile(item, to), next);
      case "alternate":
        return this.#add({ kind: "split", next: node.items.map((item) => this.#compile(item, next)) });
      case "group":
        return this.#compile(node.item, next);
      case "repeat":
        return this.#repeat(node.item, node.min, node.max, next);
      case "constraint":
        return this.#add({ kind: "constraint", constraint: node.constraint, next });
      case "look": {
        const machine = new Machine(node.item, this.#groups, this.#budget);
        return this.#add({ kind: "look", machine, ahead: node.ahead, negative: node.negative, next });
      }
      case "backreference":
        return this.#compile(this.#groups.get(node.index)!, next);
    }
  }

  #repeat(item: Node, min: number, max: number, next: number): number {
    let to = next;
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.#add({ kind: "split", next: [next] });
      const again = this.#compile(item, loop);
      const state = this.#states[loop] as State & { kind: "split" };
      state.next.push(again);
      to = loop;
    } else {
      for (let i = min; i < max; i++)
        to = this.#add({ kind: "split", next: [next, this.#compile(item, to)] });
    }
    for (let i = 0; i < min; i++) to = this.#compile(item, to);
    return to;
  }

  #setNumber(test: Test): number {
    let number = this.#setOf.get(test);
    if (number === undefined) {
      number = this.#sets.push(test) - 1;
      this.#setOf.set(test, number);
    }
    return number;
  }
}

function beforeOf(text: Int32Array, at: number): Before {
  if (at === 0) return 0;
  const code = text[at - 1]!;
  return code === 10 ? 1 : isWord(code) ? 2 : 3;
}

/** `before` and `after` tell what stands on both sides of the position. */
function holds(constraint: Constraint, before: Before, after: Before): boolean {
  switch (constraint) {
    case "start":
      return before === 0;
    case "end":
      return after === 0;
    case "lineStart":
      return before <= 1;
    case "lineEnd":
      return after <= 1;
    case "wordStart":
      return before !== 2 && after === 2;
    case "wordEnd":
      return before === 2 && after !== 2;
    case "edge":
      return (before === 2) !== (after === 2);
    case "noEdge":
      return (before === 2) === (after === 2);
  }
}

function looksRight(look: State & { kind: "look" }, text: Int32Array, at: number): boolean {
  if (look.ahead) return look.machine.shortest(text, at, at, text.length) >= 0 !== look.negative;
  let found = false;
  for (let from = at; from >= 0 && !found; from--) found = look.machine.matches(text, from, at);
  return found !== look.negative;
}
