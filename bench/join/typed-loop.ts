/**
 * The same job written by hand on typed arrays, for nothing but this job: the bound that the engine is measured against.
 *
 * Orders lie in numbered slots, a column each; a hash table with linear probing finds the slot of an id; the orders of a customer are a doubly
 * linked list through the slots. Everything doubles when it is full. It does what the engine must do too: finds the old row of a key,
 * follows changes of both sides, knows which totals a group has changed. It keeps no versions, no snapshot, no log, and it can do nothing else.
 */
import { type Answer, DELETE, type Group, REGIONS, regionName, type Workload } from "./workload.ts";

/** Id -> slot. Ids are positive. */
class SlotTable {
  #ids: Int32Array;
  #slots: Int32Array;
  #mask: number;
  #count = 0;

  constructor(capacity: number) {
    this.#ids = new Int32Array(capacity);
    this.#slots = new Int32Array(capacity);
    this.#mask = capacity - 1;
  }

  find(id: number): number {
    const ids = this.#ids;
    const mask = this.#mask;
    for (let at = hash(id) & mask; ; at = (at + 1) & mask) {
      const found = ids[at];
      if (found === id) return this.#slots[at]!;
      if (found === 0) return -1;
    }
  }

  /** REQUIRES that the id is not there. */
  add(id: number, slot: number): void {
    if (++this.#count * 2 > this.#ids.length) this.#grow();
    const ids = this.#ids;
    const mask = this.#mask;
    let at = hash(id) & mask;
    while (ids[at] !== 0) at = (at + 1) & mask;
    ids[at] = id;
    this.#slots[at] = slot;
  }

  /** Closes the gap: what stands behind it and may not stay there moves up. */
  remove(id: number): void {
    const ids = this.#ids;
    const slots = this.#slots;
    const mask = this.#mask;
    let gap = hash(id) & mask;
    while (ids[gap] !== id) gap = (gap + 1) & mask;
    for (let at = (gap + 1) & mask; ids[at] !== 0; at = (at + 1) & mask) {
      const home = hash(ids[at]!) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      ids[gap] = ids[at]!;
      slots[gap] = slots[at]!;
      gap = at;
    }
    ids[gap] = 0;
    this.#count--;
  }

  #grow(): void {
    const ids = this.#ids;
    const slots = this.#slots;
    this.#ids = new Int32Array(ids.length * 2);
    this.#slots = new Int32Array(ids.length * 2);
    this.#mask = ids.length * 2 - 1;
    for (let i = 0; i < ids.length; i++) {
      if (ids[i] === 0) continue;
      let at = hash(ids[i]!) & this.#mask;
      while (this.#ids[at] !== 0) at = (at + 1) & this.#mask;
      this.#ids[at] = ids[i]!;
      this.#slots[at] = slots[i]!;
    }
  }
}

function hash(id: number): number {
  const h = Math.imul(id, 0x9e3779b1);
  return h ^ (h >>> 15);
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

export class TypedLoop {
  readonly #orders = new SlotTable(1 << 12);
  readonly #customers = new SlotTable(1 << 12);
  // Of an order's slot; lists hold slot + 1, 0 ends them.
  #customer = new Int32Array(1 << 12);
  #amount = new Int32Array(1 << 12);
  #next = new Int32Array(1 << 12);
  #previous = new Int32Array(1 << 12);
  #slots = 0;
  #free = 0;
  // Of a customer's slot.
  readonly #region: Int32Array;
  readonly #first: Int32Array;
  // Of a region.
  readonly #sum = new Float64Array(REGIONS);
  readonly #count = new Int32Array(REGIONS);
  /** Totals that the group changed, each once: what would be told to whoever watches. */
  readonly #changed = new Int32Array(REGIONS);
  readonly #changedIn = new Int32Array(REGIONS);
  #changes = 0;
  #group = 0;

  constructor({ customers }: Workload) {
    this.#region = new Int32Array(customers.length);
    this.#first = new Int32Array(customers.length);
    for (let i = 0; i < customers.length; i++) {
      this.#customers.add(customers.id[i]!, i);
      this.#region[i] = customers.region[i]!;
    }
  }

  take({ orders, customers }: Group): void {
    this.#group++;
    this.#changes = 0;
    const { length, ops, id, customer, amount } = orders;
    for (let i = 0; i < length; i++) {
      const key = id[i]!;
      const old = this.#orders.find(key);
      if (ops[i] === DELETE) {
        if (old < 0) continue;
        this.#add(this.#region[this.#customer[old]!]!, -this.#amount[old]!, -1);
        this.#unlink(old);
        this.#orders.remove(key);
        this.#next[old] = this.#free;
        this.#free = old + 1;
        continue;
      }
      const owner = this.#customers.find(customer[i]!);
      if (old >= 0) {
        this.#add(this.#region[this.#customer[old]!]!, -this.#amount[old]!, -1);
        if (this.#customer[old] !== owner) {
          this.#unlink(old);
          this.#link(old, owner);
        }
        this.#amount[old] = amount[i]!;
      } else {
        const slot = this.#slot();
        this.#amount[slot] = amount[i]!;
        this.#link(slot, owner);
        this.#orders.add(key, slot);
      }
      this.#add(this.#region[owner]!, amount[i]!, 1);
    }
    for (let i = 0; i < customers.length; i++) {
      const owner = this.#customers.find(customers.id[i]!);
      const from = this.#region[owner]!;
      const to = customers.region[i]!;
      this.#region[owner] = to;
      for (let at = this.#first[owner]!; at !== 0; at = this.#next[at - 1]!) {
        this.#add(from, -this.#amount[at - 1]!, -1);
        this.#add(to, this.#amount[at - 1]!, 1);
      }
    }
  }

  answer(): Answer {
    const rows = Array.from(this.#count, (count, r) => [regionName(r), [this.#sum[r]!, count]] as const);
    return new Map(rows.filter(([, [, count]]) => count > 0));
  }

  #slot(): number {
    if (this.#free !== 0) {
      const slot = this.#free - 1;
      this.#free = this.#next[slot]!;
      return slot;
    }
    if (this.#slots === this.#amount.length) {
      this.#customer = doubled(this.#customer);
      this.#amount = doubled(this.#amount);
      this.#next = doubled(this.#next);
      this.#previous = doubled(this.#previous);
    }
    return this.#slots++;
  }

  #link(slot: number, owner: number): void {
    const first = this.#first[owner]!;
    this.#customer[slot] = owner;
    this.#next[slot] = first;
    this.#previous[slot] = 0;
    if (first !== 0) this.#previous[first - 1] = slot + 1;
    this.#first[owner] = slot + 1;
  }

  #unlink(slot: number): void {
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    if (next !== 0) this.#previous[next - 1] = previous;
    if (previous !== 0) this.#next[previous - 1] = next;
    else this.#first[this.#customer[slot]!] = next;
  }

  #add(region: number, amount: number, count: number): void {
    if (this.#changedIn[region] !== this.#group) {
      this.#changedIn[region] = this.#group;
      this.#changed[this.#changes++] = region;
    }
    this.#sum[region] = this.#sum[region]! + amount;
    this.#count[region] = this.#count[region]! + count;
  }
}
