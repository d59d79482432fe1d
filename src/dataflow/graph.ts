/**
 * A graph of nodes and its scheduler: the live circuit is one, and so is each view being built.
 *
 * run() picks, again and again: the deepest node that waits with a copied chunk; else, once the step's input has ended, the next node in
 * topological order, until its work() returns false. Between two calls it looks at the clock.
 *
 * Hundreds of views have thousands of nodes, of which a step concerns a few. So a node takes part in a step when it is first pushed to, or when a
 * node takes part whose store it reads; and in its first step, and always when it depends on time. The others are not looked at. A
 * graph that reads stores of another (a build) is not told what happens there: all of its nodes take part in each step (`eager`).
 *
 * A node may have to wait for another thread. Then it and what reads it are left out until all that is not behind it is done; run() returns, and
 * `waiting` says when to call it again. One that has been pushed to and waits holds up all others.
 */
import { assert } from "../base/assert.ts";
import { toEvertError } from "../base/errors.ts";
import type { Store } from "../state/store.ts";
import { goBack, goTo, StepTimer, type Timing } from "./activity.ts";
import { EngineInterrupted } from "./kernels/guard.ts";
import type { MemoryLimit } from "./memory-limit.ts";
import { type Edge, edgesOf, type Host, type Node } from "./node.ts";
import type { Step } from "./operator.ts";
import { LOOK_EVERY, overLimit, type StateLimits } from "./state-limits.ts";

const DUE = 1;
const LATER = 2;

export interface GraphOptions {
  readonly timing: Timing;
  /** null: the owner has its own. */
  readonly limits: StateLimits | null;
  /** What all graphs together may take; null: the owner sees to it. */
  readonly memory: MemoryLimit | null;
  /** Told of the stores of nodes that fail, whose rows nobody reads once `epoch` is published. */
  readonly stopped: ((store: Store, epoch: number) => void) | null;
  /** Whether all nodes take part in every step. */
  readonly eager: boolean;
  /** Told of nodes that come. */
  readonly added?: (node: Node) => void;
}

export class Graph implements Host {
  readonly step: Step = {
    from: -1,
    to: 0,
    timeFrom: Number.NEGATIVE_INFINITY,
    timeTo: Number.NEGATIVE_INFINITY,
  };
  readonly timer: StepTimer;
  readonly #graveyard: Set<Store>;
  readonly #byIdentity = new Map<string, Node>();
  readonly #order: Node[] = [];
  #numbered = true;
  /** Changes whenever a node comes, stops or goes: whoever keeps a list of some of them sees by it that the list is old. */
  shape = 0;
  #waiting: Node[] = [];
  readonly #leaving: Node[] = [];
  readonly eager: boolean;
  stepNumber = 0;
  /** Have taken part in this step, or in the last one: their stores' journals are still to be cleared. */
  #active: Node[] = [];
  /** Have not taken part in any. */
  readonly #fresh = new Set<Node>();
  #clocked: Node[] = [];
  /** By rank: DUE for what takes part and has not had its turn, LATER for what waits or is behind what waits. */
  #due = new Uint8Array(0);
  #state: "idle" | "feeding" | "ended" = "idle";
  #next = 0;
  /** When to call run() again; null: at once. */
  waiting: Promise<void> | null = null;
  /** Nodes that wait, and what is behind them. */
  readonly #blocked = new Set<Node>();
  /** null: the owner has its own. */
  limits: StateLimits | null;
  readonly #memory: MemoryLimit | null;
  readonly #stopped: GraphOptions["stopped"];
  /** Pieces of work since the last look at what nodes keep. */
  #unseen = 0;
  /** Rows that had come at the last look (MemoryLimit.rows). */
  #lookedAt = 0;
  /** Nodes that may keep or have made more since then. */
  #touched: Node[] = [];
  lookNumber = 0;
  /** Whether run() has returned because rows should go to disk before it goes on. */
  wantsRoom = false;
  /** While rows come back from disk: ends when they are there, or cannot be had. */
  fetching: Promise<void> | null = null;
  /** Whose rows are there, or why not. */
  #fetched: { readonly node: Node; readonly error: unknown }[] = [];
  readonly #added: (node: Node) => void;
  /** Have failed, and still have what they hold of their sources: others may be going through it now. */
  readonly #unbound: Node[] = [];

  /** `graveyard`: where stores of nodes that have left wait to be freed. */
  constructor(
    graveyard: Set<Store>,
    { timing, limits, memory, stopped, eager, added = () => {} }: GraphOptions,
  ) {
    this.#graveyard = graveyard;
    this.timer = new StepTimer(timing);
    this.limits = limits;
    this.#memory = memory;
    this.#stopped = stopped;
    this.eager = eager;
    this.#added = added;
  }

  bury(store: Store): void {
    this.#graveyard.add(store);
  }

  get running(): boolean {
    return this.#state !== "idle";
  }

  /** Whether the step's input has ended. */
  get ended(): boolean {
    return this.#state === "ended";
  }

  /** In topological order. */
  get nodes(): readonly Node[] {
    if (!this.#numbered) this.#number();
    return this.#order;
  }

  /** Those that take part in the step, or did in the last one. */
  get active(): readonly Node[] {
    return this.#active;
  }

  /** Those that depend on time. */
  get clocked(): readonly Node[] {
    if (!this.#numbered) this.#number();
    return this.#clocked;
  }

  find(identity: string): Node | undefined {
    return this.#byIdentity.get(identity);
  }

  /** Adds a node; its sources are here already, or belong to the graph around and are only read. */
  add<N extends Node>(node: N): N {
    const known = this.#byIdentity.get(node.identity);
    assert(known === undefined || known.failed !== null, `one node per identity: ${node.identity}`);
    this.#byIdentity.set(node.identity, node);
    node.rank = this.#order.push(node) - 1;
    this.shape++;
    if (node.clocked) this.#clocked.push(node);
    this.#fresh.add(node);
    node.host = this;
    // A build counts its own steps.
    node.activeIn = -1;
    node.touchedIn = -1;
    node.leaseWarm();
    this.#added(node);
    node.sources.forEach((source, port) => {
      assert(source.node.host !== undefined, "a node is added after its sources");
      if (source.node.host === this) edgesOf(source).push({ node, port });
    });
    return node;
  }

  /** Another takes the node's name; what hangs on it stays what it is. */
  rename(node: Node, identity: string): void {
    this.#byIdentity.delete(node.identity);
    node.identity = identity;
    this.#byIdentity.set(identity, node);
  }

  /** Removes the node if nobody uses it, and then what only it used; during a step, at its end. */
  release(node: Node): void {
    if (this.running) this.#leaving.push(node);
    else this.#remove(node);
  }

  #remove(node: Node): void {
    if (node.holders > 0 || node.consumers > 0) return;
    const at = this.#order.indexOf(node);
    // A node may be two sources of one consumer.
    if (at < 0) return;
    if (this.#byIdentity.get(node.identity) === node) this.#byIdentity.delete(node.identity);
    this.#order.splice(at, 1);
    this.shape++;
    this.#fresh.delete(node);
    this.#numbered = false;
    for (const source of node.sources) {
      const edges = edgesOf(source);
      for (let i = edges.length - 1; i >= 0; i--) if (edges[i]!.node === node) edges.splice(i, 1);
    }
    node.dispose();
    for (const source of node.sources) this.#remove(source.node);
  }

  prepare(): void {
    for (const node of this.nodes) node.prepare();
  }

  /** Without `timeUs` no time passes. */
  begin(from: number, to: number, timeUs = this.step.timeTo): void {
    assert(this.#state === "idle", "one step at a time");
    this.step.from = from;
    this.step.to = to;
    this.step.timeFrom = this.step.timeTo;
    // Log time never falls; a log that says otherwise is not followed.
    this.step.timeTo = Math.max(timeUs, this.step.timeFrom);
    this.#state = "feeding";
    this.timer.begin();
    const { nodes, clocked } = this;
    this.stepNumber++;
    for (const node of this.#active) for (const store of node.allStores) store.begin(to);
    this.#active = [];
    if (this.#due.length < nodes.length) this.#due = new Uint8Array(nodes.length * 2);
    for (const node of this.eager ? nodes : clocked) this.activate(node);
    for (const node of this.#fresh) this.activate(node);
    this.#fresh.clear();
  }

  activate(node: Node): void {
    if (node.activeIn === this.stepNumber) return;
    node.activeIn = this.stepNumber;
    if (node.failed !== null) return;
    this.#active.push(node);
    this.#due[node.rank] = DUE;
    try {
      node.begin();
    } catch (thrown) {
      this.fail(node, thrown);
    }
    const readers = node.storeEdges;
    for (let i = 0; i < readers.length; i++) this.activate((readers[i] as Edge).node);
  }

  end(): void {
    assert(this.#state === "feeding", "a step ends once");
    this.#state = "ended";
    this.#next = 0;
  }

  /**
   * Works until the deadline (performance.now()). True: nothing is left to do, and after end() the step is complete. `needsRoom` is asked after each
   * piece of work: see wantsRoom.
   */
  run(deadline: number, needsRoom: (() => boolean) | null = null): boolean {
    const order = this.nodes;
    this.waiting = null;
    this.wantsRoom = false;
    if (this.#blocked.size > 0) this.#unblock();
    let now = performance.now();
    for (;;) {
      if (this.fetching !== null) return false;
      const fetched = this.#fetched.shift();
      if (fetched !== undefined) {
        this.#tellFetched(fetched);
        // Who needs it longer than that holds it. One fetch may follow the other, and there would be no moment to make room in.
        if (this.fetching === null && this.#fetched.length === 0 && needsRoom?.() === true) {
          this.wantsRoom = true;
          return false;
        }
        continue;
      }
      const began = now;
      let worked: Node;
      let made: number;
      if (++this.#unseen >= LOOK_EVERY || this.#memory?.isDue(this.#lookedAt) === true) this.#look();
      const waiting = this.#deepestWaiting();
      if (waiting !== null) {
        this.waiting = waiting.waiting;
        if (this.waiting !== null) return false;
        worked = waiting;
        ({ made } = worked);
        if (!this.#work(waiting)) this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      } else {
        if (this.#state !== "ended") return true;
        const next = this.#due.indexOf(DUE, this.#next);
        if (next < 0 && this.#blocked.size > 0) {
          const waits = [...this.#blocked].map((node) => node.waiting).filter((wait) => wait !== null);
          if (waits.length > 0) {
            this.waiting = Promise.race(waits);
            return false;
          }
          // Those that waited have failed meanwhile.
          this.#unblock();
          continue;
        }
        if (next < 0) {
          // What a build has made joins the others, or is an answer: it does not pass unseen because it was made between two counts.
          if (this.eager && this.#memory?.countAgain(order) === true) this.#touched = [...order];
          this.#look();
          this.#finish();
          return true;
        }
        this.#next = next;
        const node = order[next] as Node;
        if (this.#blocked.size > 0 && this.#blocked.has(node)) {
          this.#due[next] = LATER;
          continue;
        }
        worked = node;
        ({ made } = worked);
        if (!this.#work(node)) {
          node.settle();
          this.#due[next] = 0;
          continue;
        }
        if (node.waiting !== null) this.#block(node);
      }
      now = performance.now();
      if (worked.made > made) {
        worked.pace.took(worked.made - made, now - began);
        this.#memory?.came(worked.made - made);
      }
      // What is being brought back stays until it has been taken.
      if (this.fetching === null && needsRoom?.() === true) {
        this.wantsRoom = true;
        return false;
      }
      if (now >= deadline) return false;
    }
  }

  #block(node: Node): void {
    if (this.#blocked.has(node)) return;
    this.#blocked.add(node);
    for (const edge of [...node.rowEdges, ...node.storeEdges]) this.#block(edge.node);
  }

  /** All are asked again; who still waits says so. */
  #unblock(): void {
    this.#blocked.clear();
    for (let i = this.#due.indexOf(LATER); i >= 0; i = this.#due.indexOf(LATER, i + 1)) this.#due[i] = DUE;
    this.#next = 0;
  }

  /** Stops the step where it is; what it did is not to be used. */
  abandon(): void {
    this.waiting = null;
    this.#blocked.clear();
    this.#waiting = [];
    this.fetching = null;
    this.#fetched = [];
    this.#touched = [];
    this.lookNumber++;
    this.#due.fill(0);
    this.#finish();
  }

  #finish(): void {
    this.#state = "idle";
    for (const node of this.#leaving.splice(0)) this.#remove(node);
    // An index that nobody uses any more would keep all rows of a table in memory, until its view is dropped.
    for (const node of this.#unbound.splice(0)) node.unbind();
  }

  fail(node: Node, thrown: unknown): void {
    if (thrown instanceof EngineInterrupted) throw thrown;
    if (node.failed !== null) return;
    const error = toEvertError(thrown);
    node.failed = error;
    this.shape++;
    node.releaseWarm();
    node.stop();
    if (this.#stopped !== null) {
      for (const { store } of node.stores()) this.#stopped(store, this.step.to);
      this.#unbound.push(node);
    }
    for (const { node: consumer } of [...node.rowEdges, ...node.storeEdges]) this.fail(consumer, error);
    // What it read alone works for nobody any more.
    for (const { node: source } of node.sources) if (this.#isIdle(source)) this.fail(source, error);
  }

  #isIdle(node: Node): boolean {
    if (node.host !== this || node.isTopic || node.holders > 0) return false;
    return [...node.rowEdges, ...node.storeEdges].every((edge) => edge.node.failed !== null);
  }

  /** The node may keep or have made more than at the last look: the next one goes to it. */
  touch(node: Node): void {
    node.touchedIn = this.lookNumber;
    this.#touched.push(node);
  }

  /** Stops nodes that keep or make too much. It asks those touched since the last look: a step of a few changes may have thousands of nodes. */
  #look(): void {
    this.#unseen = 0;
    this.#lookedAt = this.#memory?.rows ?? 0;
    this.lookNumber++;
    const nodes = this.#touched;
    this.#touched = [];
    if (this.limits === null) return;
    for (const node of nodes) {
      if (node.failed !== null || node.isTopic) continue;
      const error = overLimit(node, this.limits);
      if (error !== null) this.fail(node, error);
    }
    const greedy = this.#memory?.stopped(nodes) ?? null;
    if (greedy !== null) this.fail(greedy, this.#memory?.error(greedy));
  }

  fetch(node: Node, rows: Promise<void>): void {
    const { stepNumber } = this;
    const told = (error: unknown): void => {
      // A step that was abandoned waits for nothing.
      if (this.fetching !== null && this.stepNumber === stepNumber) this.#fetched.push({ node, error });
    };
    const own = rows.then(() => told(null), told);
    const others = this.fetching;
    // One chunk may go to several that wait: the step goes on when all of them can.
    const all = others === null ? own : others.then(() => own);
    const fetching: Promise<void> = all.then(() => {
      if (this.fetching === fetching) this.fetching = null;
    });
    this.fetching = fetching;
  }

  /**
   * Who does not have its rows ends, and its views with it. Without rows of a topic nothing would be right any more; and of what is damaged the
   * checkpoint may say that it is there.
   */
  #tellFetched({ node, error }: { readonly node: Node; readonly error: unknown }): void {
    if (error === null) node.fetched();
    else if (this.eager || (!node.isTopic && toEvertError(error).code === "io_error")) this.fail(node, error);
    else throw error;
  }

  wait(node: Node): void {
    if (!this.#waiting.includes(node)) this.#waiting.push(node);
  }

  #work(node: Node): boolean {
    if (node.failed !== null) return false;
    if (node.touchedIn !== this.lookNumber) this.touch(node);
    const { weight } = this.timer;
    const before = weight === 0 ? null : goTo(node.activity, weight);
    let more = false;
    try {
      more = node.work();
    } catch (thrown) {
      this.fail(node, thrown);
    }
    if (before !== null) goBack(before, weight);
    return more;
  }

  #deepestWaiting(): Node | null {
    const waiting = this.#waiting;
    if (waiting.length === 0) return null;
    let deepest = waiting[0] as Node;
    for (let i = 1; i < waiting.length; i++)
      if ((waiting[i] as Node).rank > deepest.rank) deepest = waiting[i] as Node;
    return deepest;
  }

  /** Sources are added before their consumers: the order of addition is a topological one. */
  #number(): void {
    this.#order.forEach((node, i) => {
      node.rank = i;
    });
    this.#clocked = this.#order.filter((node) => node.clocked);
    this.#numbered = true;
  }
}
