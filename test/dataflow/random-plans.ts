/** Random topics, histories and plans, from a seed. */
import {
  bool,
  float8,
  int4,
  int8,
  isSmallNumeric,
  jsonb,
  numeric,
  type SqlType,
  text,
} from "../../src/batch/types.ts";
import * as plan from "../../src/plan/build.ts";
import type { Datum, Expr, UserFunction } from "../../src/plan/expression.ts";
import type { FunctionId } from "../../src/plan/functions.ts";
import { typeOf } from "../../src/plan/inspect.ts";
import type { Aggregate, Plan } from "../../src/plan/plan.ts";
import type { Change, Commit, TopicSpec } from "./harness.ts";
import { World } from "./harness.ts";
import type { Row } from "./oracle.ts";

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 <= n < below */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  some<T>(list: readonly T[], least: number): T[] {
    const left = [...list];
    const wanted = least + this.below(Math.max(1, left.length - least + 1));
    const taken: T[] = [];
    while (taken.length < wanted && left.length > 0) taken.push(left.splice(this.below(left.length), 1)[0]!);
    return taken;
  }
}

const money: SqlType = { name: "numeric", precision: 10, scale: 2 };

const topics: readonly TopicSpec[] = [
  {
    name: "events",
    key: null,
    fields: [
      { name: "a", type: int4, nullable: true },
      { name: "b", type: int8, nullable: false },
      { name: "t", type: text, nullable: true },
      { name: "x", type: float8, nullable: true },
      { name: "m", type: money, nullable: false },
    ],
  },
  {
    name: "things",
    key: [0],
    fields: [
      { name: "id", type: int4, nullable: false },
      { name: "grp", type: int4, nullable: true },
      { name: "name", type: text, nullable: true },
      { name: "big", type: int8, nullable: true },
      { name: "n", type: numeric, nullable: true },
    ],
  },
  {
    name: "pairs",
    key: [0, 1],
    fields: [
      { name: "p", type: int4, nullable: false },
      { name: "q", type: text, nullable: false },
      { name: "v", type: float8, nullable: false },
      { name: "f", type: bool, nullable: true },
    ],
  },
];

export function randomDatum(random: Random, type: SqlType): Exclude<Datum, null> {
  switch (type.name) {
    case "int4":
      return random.below(6) - 1;
    case "int8":
      return random.chance(5)
        ? random.pick([9007199254740993n, -9007199254740993n, 9223372036854775807n])
        : BigInt(random.below(5));
    case "float8":
      return random.pick([0, 0.1, 0.2, 0.3, 1.5, -2.25, 1e16, 1e-3, 4, random.chance(5) ? 1e300 : 3]);
    case "numeric":
      return isSmallNumeric(type)
        ? BigInt(random.below(400) - 100)
        : random.pick(["0", "1", "2", "1.5", "-3.25", "10.125"]);
    case "bool":
      return random.chance(50);
    case "text":
      return random.pick(["", "a", "b", "ab", "\u00e9", "long text that is not so short"]);
    case "timestamptz":
      return BigInt(random.below(10)) * 1_000_000n;
    case "jsonb":
      return "{}";
    default:
      throw new Error(`no values of type ${type.name} are made here`);
  }
}

function randomRow(random: Random, topic: TopicSpec): Row {
  return topic.fields.map((f) => (f.nullable && random.chance(20) ? null : randomDatum(random, f.type)));
}

export function randomCommit(random: Random, world: World): Commit {
  const changes: Change[] = [];
  for (let n = random.below(5); n >= 0; n--) {
    const id = random.below(world.topics.length);
    const topic = world.topics[id]!;
    const row = randomRow(random, topic);
    if (topic.key !== null && random.chance(35)) {
      const present = world.tableRows(id, world.commits.length - 1);
      changes.push({
        topic: id,
        deleted: present.length > 0 && random.chance(80) ? random.pick(present) : row,
      });
    } else changes.push({ topic: id, row });
  }
  return changes;
}

export function randomWorld(): World {
  return new World(topics);
}

export class PlanMaker {
  readonly #random: Random;
  readonly #world: World;

  constructor(random: Random, world: World) {
    this.#random = random;
    this.#world = world;
  }

  plan(depth: number): Plan {
    if (depth <= 0) return this.#leaf();
    switch (this.#random.below(12)) {
      case 0:
      case 1:
        return this.#filter(this.plan(depth - 1));
      case 2:
        return this.#project(this.plan(depth - 1));
      case 3:
      case 4:
      case 5:
        return this.#join(depth);
      case 6:
      case 7:
        return this.#group(this.plan(depth - 1));
      case 8:
        return this.#distinct(this.#narrow(this.plan(depth - 1)));
      case 9:
        return this.#union(depth);
      case 10:
        return this.#topK(this.plan(depth - 1));
      default:
        return this.#random.chance(50) ? this.#map(this.plan(depth - 1)) : this.#asOf();
    }
  }

  #leaf(): Plan {
    const random = this.#random;
    if (random.chance(6)) {
      return plan.values(
        [
          { name: "k", type: int4 },
          { name: "w", type: text },
        ],
        [
          [1, "a"],
          [2, null],
          [1, "a"],
        ].slice(0, random.below(4)) as Datum[][],
      );
    }
    const views = [...this.#world.views.keys()];
    if (views.length > 0 && random.chance(20)) return this.#world.viewSource(random.pick(views));
    return this.#world.source(random.below(this.#world.topics.length));
  }

  #columns(input: Plan): Expr[] {
    return input.schema.fields.map((_, i) => plan.column(input, i));
  }

  #filter(input: Plan): Plan {
    return plan.filter(input, this.#predicate(input));
  }

  #predicate(input: Plan): Expr {
    const random = this.#random;
    const columns = this.#columns(input).filter((c) => typeOf(c).name !== "jsonb");
    const one = (): Expr => {
      const column = random.pick(columns);
      const type = typeOf(column);
      if (random.chance(15)) return { kind: "isNull", arg: column };
      if (type.name === "bool") return random.chance(50) ? column : { kind: "not", arg: column };
      if (random.chance(10) && type.name === "int4") {
        const quotient: Expr = {
          kind: "call",
          fn: "int4_div",
          args: [plan.constant(6, int4), column],
          type: int4,
        };
        return { kind: "call", fn: "int4_gt", args: [quotient, plan.constant(1, int4)], type: bool };
      }
      const fn = `${type.name}_${random.pick(["eq", "ne", "lt", "le", "gt", "ge"])}` as FunctionId;
      const constant: Expr = { kind: "const", value: randomDatum(random, type), type };
      return { kind: "call", fn, args: [column, constant], type: bool };
    };
    if (columns.length === 0) return plan.constant(true, bool);
    if (random.chance(25)) return { kind: random.pick(["and", "or"] as const), args: [one(), one()] };
    return one();
  }

  #scalar(input: Plan): Expr {
    const random = this.#random;
    const column = random.pick(this.#columns(input));
    const type = typeOf(column);
    if (random.chance(50)) return column;
    switch (type.name) {
      case "int4": {
        const fn = random.pick([
          "int4_add",
          "int4_mul",
          random.chance(20) ? "int4_div" : "int4_sub",
        ] as const);
        const other = random.chance(50)
          ? column
          : plan.constant(random.below(4) + (fn === "int4_div" ? 1 : 0), int4);
        return { kind: "call", fn, args: [column, other], type: int4 };
      }
      case "int8":
        return { kind: "call", fn: "int8_add", args: [column, plan.constant(1n, int8)], type: int8 };
      case "float8":
        return { kind: "call", fn: "float8_mul", args: [column, plan.constant(2, float8)], type: float8 };
      case "text":
        return { kind: "call", fn: "text_concat", args: [column, plan.constant("!", text)], type: text };
      case "numeric":
        return {
          kind: "call",
          fn: "numeric_add",
          args: [column, plan.constant("1", numeric)],
          type: numeric,
        };
      default:
        return { kind: "coalesce", args: [column], type };
    }
  }

  #project(input: Plan): Plan {
    const width = 1 + this.#random.below(4);
    const exprs = Array.from({ length: width }, () => this.#scalar(input));
    return plan.project(
      input,
      exprs,
      exprs.map((_, i) => `p${i}`),
    );
  }

  /** Fewer columns, so that equal rows are likely. */
  #narrow(input: Plan): Plan {
    const columns = this.#random.some(
      input.schema.fields.map((_, i) => i),
      1,
    );
    return plan.projectColumns(input, columns.slice(0, 2));
  }

  #distinct(input: Plan): Plan {
    return input.schema.fields.some((f) => showsScale(f.type)) ? input : plan.distinct(input);
  }

  #join(depth: number): Plan {
    const random = this.#random;
    const left = this.plan(depth - 1);
    const right = random.chance(25) ? left : this.plan(depth - 1 - random.below(2));
    const pairs: [number, number][] = [];
    left.schema.fields.forEach((l, i) => {
      right.schema.fields.forEach((r, j) => {
        if (
          l.type.name === r.type.name &&
          l.type.name !== "jsonb" &&
          l.type.name !== "bool" &&
          isSmallNumeric(l.type) === isSmallNumeric(r.type)
        )
          pairs.push([i, j]);
      });
    });
    if (pairs.length === 0) return this.#filter(left);
    const chosen = random.some(pairs, 1).slice(0, random.chance(25) ? 2 : 1);
    const spec = { left, right, leftKeys: chosen.map((p) => p[0]), rightKeys: chosen.map((p) => p[1]) };
    const nullSafe = chosen.map(() => random.chance(25));
    const joined = plan.join({ type: random.pick(["inner", "left", "full"] as const), ...spec, nullSafe });
    return joined.schema.fields.length > 8 ? this.#project(joined) : joined;
  }

  #union(depth: number): Plan {
    const random = this.#random;
    if (random.chance(30)) return this.#recursive(depth);
    const first = this.#narrow(this.plan(depth - 1));
    const second = this.plan(depth - 1);
    const exprs = first.schema.fields.map(({ type }): Expr => {
      const fits = this.#columns(second).filter(
        (c) => typeOf(c).name === type.name && typeOf(c).precision === type.precision,
      );
      return fits.length > 0 ? random.pick(fits) : { kind: "const", value: null, type };
    });
    const other = plan.project(
      second,
      exprs,
      exprs.map((_, i) => `u${i}`),
    );
    if (random.chance(50)) return plan.union([first, other]);
    const op = random.chance(50) ? "intersect" : "except";
    return plan.setOperation({ op, all: random.chance(50), left: first, right: other });
  }

  /** The base's rows, and what a join with another plan makes of them: the values are all there already, so it ends. */
  #recursive(depth: number): Plan {
    const random = this.#random;
    const base = this.#narrow(this.plan(depth - 1));
    const other = this.#narrow(this.plan(depth - 1));
    const { fields } = base.schema;
    const found = plan.recursiveRef(depth, "found", fields);
    const pairs = fields.flatMap(({ type }, l) =>
      other.schema.fields.flatMap((f, r) =>
        f.type.name === type.name && f.type.precision === type.precision ? [{ l, r }] : [],
      ),
    );
    if (pairs.length === 0) return base;
    const { l, r } = random.pick(pairs);
    const joined = plan.join({ type: "inner", left: found, right: other, leftKeys: [l], rightKeys: [r] });
    const columns = this.#columns(joined);
    const exprs = fields.map(({ type }): Expr => {
      const fits = columns.filter(
        (c) => typeOf(c).name === type.name && typeOf(c).precision === type.precision,
      );
      return random.pick(fits);
    });
    const names = exprs.map((_, i) => `r${i}`);
    const kept = random.chance(30) ? this.#filter(joined) : joined;
    let step: Plan = plan.project(kept, exprs, names);
    if (random.chance(20)) step = plan.distinct(step);
    return plan.recursive({ id: depth, base, step, all: false });
  }

  #topK(input: Plan): Plan {
    const random = this.#random;
    const columns = input.schema.fields.map((_, i) => i);
    const order = random.some(columns, 1).slice(0, 2);
    const partition = random.chance(60) ? random.some(columns, 1).slice(0, 1) : [];
    return plan.topK(input, {
      partition,
      order: order.map((column) => ({
        column,
        descending: random.chance(50),
        nullsFirst: random.chance(50),
      })),
      limit: random.chance(85) ? random.below(4) + (random.chance(10) ? 40 : 0) : null,
      offset: random.chance(30) ? random.below(3) : 0,
    });
  }

  #group(input: Plan): Plan {
    const random = this.#random;
    const columns = this.#columns(input);
    // Which of several equal numerics a group shows is open: see group.test.ts.
    const possible = columns.filter((c) => !showsScale(typeOf(c)));
    const keys = random.chance(80) ? random.some(possible, 1).slice(0, 2) : [];
    const aggregates = Array.from({ length: 1 + random.below(3) }, () => this.#aggregate(input));
    const names = [...keys, ...aggregates].map((_, i) => `g${i}`);
    return plan.group(input, keys, aggregates, names);
  }

  #aggregate(input: Plan): Aggregate {
    const random = this.#random;
    const filter = random.chance(20) ? this.#predicate(input) : null;
    const arg = this.#scalar(input);
    const type = typeOf(arg);
    const counted: Aggregate = {
      fn: "count",
      arg: random.chance(50) ? arg : null,
      filter,
      type: int8,
      reducer: null,
    };
    if (type.name === "jsonb" || type.name === "bool" || random.chance(20)) return counted;
    if (random.chance(40))
      return { fn: random.pick(["min", "max"] as const), arg, filter, type, reducer: null };
    const fn = random.pick(["sum", "avg"] as const);
    switch (type.name) {
      case "int4":
        return { fn, arg, filter, type: fn === "sum" ? int8 : random.pick([numeric, float8]), reducer: null };
      case "int8":
        return {
          fn,
          arg,
          filter,
          type: fn === "sum" ? random.pick([numeric, int8]) : numeric,
          reducer: null,
        };
      case "float8":
        return { fn, arg, filter, type: float8, reducer: null };
      case "numeric":
        return { fn, arg, filter, type: numeric, reducer: null };
      default:
        return counted;
    }
  }

  #map(input: Plan): Plan {
    const random = this.#random;
    const rows = [
      { fields: [{ name: "v", column: random.below(input.schema.fields.length) }], presentColumn: null },
    ];
    if (random.chance(50)) {
      const fn: UserFunction = {
        call: (row) => ({
          s: String((row as { v: unknown }).v),
          n: String((row as { v: unknown }).v).length,
        }),
        source: "map",
        rows,
      };
      return plan.mapFunction(input, fn, false, [
        { name: "s", type: text, nullable: false },
        { name: "n", type: int4, nullable: false },
      ]);
    }
    const fn: UserFunction = {
      call: (row) => {
        const s = String((row as { v: unknown }).v);
        if (s === "3") throw new TypeError("no threes");
        return [...s].slice(0, 3).map((c) => ({ c, j: [c] }));
      },
      source: "flat",
      rows,
    };
    return plan.mapFunction(input, fn, true, [
      { name: "c", type: text, nullable: true },
      { name: "j", type: jsonb, nullable: true },
    ]);
  }

  #asOf(): Plan {
    const random = this.#random;
    const left = random.chance(50) ? this.#world.source(0) : this.#filter(this.#world.source(0));
    const things = this.#world.source(1);
    const right = random.chance(50)
      ? things
      : plan.filter(things, { kind: "isNull", arg: plan.column(things, 2) });
    const type = random.pick(["inner", "left"] as const);
    return plan.asOfJoin({ type, left, right, leftKeys: [0], rightKeys: [0] });
  }
}

/** Equal values of the type may print differently. */
function showsScale(type: SqlType): boolean {
  return type.name === "numeric" && !isSmallNumeric(type);
}
