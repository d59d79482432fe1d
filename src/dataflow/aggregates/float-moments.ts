/**
 * Variances, correlations and regressions over float8, without rounding before the end, so that rows can be taken away exactly.
 *
 * 1. Kept are the sums of x, y, x², y² and xy, as far as the function needs them, each an expansion of four doubles (exact-sum.ts). A
 *    product of two doubles is the sum of two doubles exactly (Dekker 1971) unless it leaves their range.
 * 2. What an expansion or a product cannot hold goes to a box: big integers in units of 2^-2148, the square of the least double.
 *    NaN and infinities are counted there.
 * 3. Centred sums, as in PostgreSQL's Sxx = sum of x² - (sum of x)² / n, are rational numbers; each is rounded once. What is made of
 *    them follows PostgreSQL's formulas in doubles.
 */
import { float8, text } from "../../batch/types.ts";
import type { MomentFunction } from "../../plan/plan.ts";
import { floatOverflow, type ScalarError } from "../kernels/errors.ts";
import { type Accumulator, Boxes, cellAt, countCell } from "./accumulator.ts";
import { addExact, EXPANSION, ratioToDouble, unitsOf } from "./exact-sum.ts";

/** Sums that may be kept, in the order in which they lie. */
type Power = "x" | "y" | "xx" | "yy" | "xy";

interface Formula {
  readonly powers: readonly Power[];
  /** How many rows it takes at least. */
  readonly rows: number;
  /** NaN, also of specials; null: it has no value. */
  result(m: Moments): number | null;
}

/** What a result is made from. */
interface Moments {
  readonly n: number;
  sum(power: "x" | "y"): number;
  /** Sxx, Syy, Sxy. */
  centred(power: "xx" | "yy" | "xy"): number;
}

const X: readonly Power[] = ["x", "xx"];
const Y: readonly Power[] = ["y", "yy"];
const XY: readonly Power[] = ["x", "y", "xy"];
const ALL: readonly Power[] = ["x", "y", "xx", "yy", "xy"];

const formulas: Readonly<Record<Exclude<MomentFunction, "regr_count">, Formula>> = {
  var_pop: { powers: X, rows: 1, result: (m) => m.centred("xx") / m.n },
  var_samp: { powers: X, rows: 2, result: (m) => m.centred("xx") / (m.n - 1) },
  stddev_pop: { powers: X, rows: 1, result: (m) => Math.sqrt(m.centred("xx") / m.n) },
  stddev_samp: { powers: X, rows: 2, result: (m) => Math.sqrt(m.centred("xx") / (m.n - 1)) },
  covar_pop: { powers: XY, rows: 1, result: (m) => m.centred("xy") / m.n },
  covar_samp: { powers: XY, rows: 2, result: (m) => m.centred("xy") / (m.n - 1) },
  corr: {
    powers: ALL,
    rows: 1,
    result(m) {
      const sxx = m.centred("xx");
      const syy = m.centred("yy");
      return sxx === 0 || syy === 0 ? null : m.centred("xy") / Math.sqrt(sxx * syy);
    },
  },
  regr_avgx: { powers: ["x"], rows: 1, result: (m) => m.sum("x") / m.n },
  regr_avgy: { powers: ["y"], rows: 1, result: (m) => m.sum("y") / m.n },
  regr_sxx: { powers: X, rows: 1, result: (m) => m.centred("xx") },
  regr_syy: { powers: Y, rows: 1, result: (m) => m.centred("yy") },
  regr_sxy: { powers: XY, rows: 1, result: (m) => m.centred("xy") },
  regr_r2: {
    powers: ALL,
    rows: 1,
    result(m) {
      const sxx = m.centred("xx");
      const syy = m.centred("yy");
      const sxy = m.centred("xy");
      return sxx === 0 ? null : syy === 0 ? 1 : (sxy * sxy) / (sxx * syy);
    },
  },
  regr_slope: {
    powers: ["x", "y", "xx", "xy"],
    rows: 1,
    result(m) {
      const sxx = m.centred("xx");
      return sxx === 0 ? null : m.centred("xy") / sxx;
    },
  },
  regr_intercept: {
    powers: ["x", "y", "xx", "xy"],
    rows: 1,
    result(m) {
      const sxx = m.centred("xx");
      return sxx === 0 ? null : (m.sum("y") - (m.sum("x") * m.centred("xy")) / sxx) / m.n;
    },
  },
};

/** What the expansions do not hold. */
interface Beyond {
  /** By power, in units of 2^-2148. */
  readonly units: bigint[];
  /** Rows whose x, or y, is NaN, infinity, -infinity. */
  readonly x: [number, number, number];
  readonly y: [number, number, number];
}

/** `pair`: the argument is y, and x the next one; otherwise the argument is x. */
export function floatMoments(fn: Exclude<MomentFunction, "regr_count">, pair: boolean): Accumulator {
  const { powers, rows, result } = formulas[fn];
  const cells = powers.length * EXPANSION;
  const boxes = new Boxes<Beyond>({
    decode,
    encode: (box) => (isNothing(box) ? null : encode(box)),
    fresh: () => ({ units: powers.map(() => 0n), x: [0, 0, 0], y: [0, 0, 0] }),
  });

  function add(F: Float64Array, at: number, x: number, y: number, weight: number, slot: number): void {
    const finiteX = Number.isFinite(x);
    const finiteY = Number.isFinite(y);
    if (!finiteX || !finiteY) {
      const box = boxes.open(slot);
      countSpecial(box.x, x, weight);
      countSpecial(box.y, y, weight);
    }
    for (let i = 0; i < powers.length; i++) {
      const power = powers[i] as Power;
      if ((!finiteX && power.includes("x")) || (!finiteY && power.includes("y"))) continue;
      addPower(F, at, i, power.startsWith("x") ? x : y, secondFactor(power, x, y), weight, slot);
    }
  }

  function addPower(
    F: Float64Array,
    at: number,
    i: number,
    a: number,
    b: number,
    weight: number,
    slot: number,
  ): void {
    const to = at + i * EXPANSION;
    if (weight === 1 || weight === -1) {
      const product = a * b * weight;
      const error = b === 1 ? 0 : productError(a, b) * weight;
      if (!Number.isNaN(error)) {
        if (addExact(F, to, product)) {
          if (error === 0 || addExact(F, to, error)) return;
          addUnits(slot, i, unitsOf(error) << 1074n);
          return;
        }
      }
    }
    addUnits(slot, i, unitsOf(a) * unitsOf(b) * BigInt(weight));
  }

  function addUnits(slot: number, i: number, units: bigint): void {
    const box = boxes.open(slot);
    box.units[i] = (box.units[i] as bigint) + units;
  }

  let lastError: ScalarError | null = null;

  /** undefined: null. */
  function finish(F: Float64Array, at: number, slot: number, n: number): number | undefined {
    lastError = null;
    if (n < rows) return undefined;
    const box = boxes.peek(slot);
    const exact = (power: Power): Dyadic => {
      const i = powers.indexOf(power);
      const sum = expansionOf(F, at + i * EXPANSION);
      return box === undefined || box.units[i] === 0n
        ? sum
        : plus(sum, { mantissa: box.units[i] as bigint, exponent: -2148 });
    };
    const special = (variable: "x" | "y"): boolean => box?.[variable].some((times) => times > 0) === true;
    const bounded = (value: number): number => {
      if (!Number.isFinite(value)) lastError = floatOverflow;
      return value;
    };
    const moments: Moments = {
      n,
      sum(variable) {
        return special(variable) ? specialSum(box!, variable) : bounded(quotient(exact(variable), 1n));
      },
      centred(power) {
        const a = power[0] as "x" | "y";
        const b = power[1] as "x" | "y";
        if (special(a) || special(b)) return Number.NaN;
        // PostgreSQL's sums overflow where their squares need not.
        for (const variable of [a, b]) bounded(quotient(exact(variable), 1n));
        const count = BigInt(n);
        return bounded(
          quotient(plus(times(exact(power), count), negated(product(exact(a), exact(b)))), count),
        );
      },
    };
    return result(moments) ?? undefined;
  }

  return {
    type: float8,
    columns: [
      ...Array.from({ length: cells }, () => ({ type: float8, nullable: false })),
      { type: text, nullable: true },
    ],
    boxed: boxes,
    add(place) {
      const first = `c${place.arg}[r]`;
      const [x, y] = pair ? [`c${place.rest[0]}[r]`, first] : [first, "0"];
      return `${place.bind(add)}(F, ${cellAt(place, 0)}, ${x}, ${y}, w, g);`;
    },
    result: (
      place,
    ) => `isNull = 0; value = ${place.bind(finish)}(F, ${cellAt(place, 0)}, g, ${countCell(place)}); error = ${place.bind(() => lastError)}();
      if (value === undefined) { value = 0; isNull = 1; }`,
  };
}

function secondFactor(power: Power, x: number, y: number): number {
  switch (power) {
    case "x":
    case "y":
      return 1;
    case "xx":
      return x;
    case "yy":
    case "xy":
      return y;
  }
}

const SPLIT = 134217729; // 2^27 + 1
/** Between these a product and its error are exact. */
const LARGEST = 2 ** 480;
const SMALLEST = 2 ** -480;

/** a * b minus its double, exactly; NaN where doubles cannot tell. */
function productError(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  const x = Math.abs(a);
  const y = Math.abs(b);
  if (!(x < LARGEST && y < LARGEST && x > SMALLEST && y > SMALLEST)) return Number.NaN;
  const p = a * b;
  let t = SPLIT * a;
  const ah = t - (t - a);
  const al = a - ah;
  t = SPLIT * b;
  const bh = t - (t - b);
  const bl = b - bh;
  return ah * bh - p + ah * bl + al * bh + al * bl;
}

// ---- exact numbers ----------------------------------------------------------------------------------------------

/** mantissa * 2^exponent */
interface Dyadic {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const bits = new DataView(new ArrayBuffer(8));

function dyadic(x: number): Dyadic {
  if (x === 0) return { mantissa: 0n, exponent: 0 };
  bits.setFloat64(0, x);
  const raw = bits.getBigUint64(0);
  const power = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xfffffffffffffn;
  const mantissa = power === 0 ? fraction : fraction | 0x10000000000000n;
  return { mantissa: x < 0 ? -mantissa : mantissa, exponent: Math.max(power, 1) - 1075 };
}

function expansionOf(F: Float64Array, at: number): Dyadic {
  let sum = dyadic(F[at + EXPANSION - 1] as number);
  for (let i = at + EXPANSION - 2; i >= at && F[i] !== 0; i--) sum = plus(sum, dyadic(F[i] as number));
  return sum;
}

function plus(a: Dyadic, b: Dyadic): Dyadic {
  if (a.mantissa === 0n) return b;
  if (b.mantissa === 0n) return a;
  const exponent = Math.min(a.exponent, b.exponent);
  const mantissa =
    (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  return { mantissa, exponent };
}

function product(a: Dyadic, b: Dyadic): Dyadic {
  return { mantissa: a.mantissa * b.mantissa, exponent: a.exponent + b.exponent };
}

function times(a: Dyadic, n: bigint): Dyadic {
  return { mantissa: a.mantissa * n, exponent: a.exponent };
}

function negated(a: Dyadic): Dyadic {
  return { mantissa: -a.mantissa, exponent: a.exponent };
}

function quotient({ mantissa, exponent }: Dyadic, divisor: bigint): number {
  return exponent >= 0
    ? ratioToDouble(mantissa << BigInt(exponent), divisor)
    : ratioToDouble(mantissa, divisor << BigInt(-exponent));
}

// ---- what is beyond ---------------------------------------------------------------------------------------------

function countSpecial(counts: [number, number, number], value: number, weight: number): void {
  if (Number.isNaN(value)) counts[0] += weight;
  else if (value === Number.POSITIVE_INFINITY) counts[1] += weight;
  else if (value === Number.NEGATIVE_INFINITY) counts[2] += weight;
}

function specialSum(box: Beyond, variable: "x" | "y"): number {
  const [nan, positive, negative] = box[variable];
  if (nan > 0 || (positive > 0 && negative > 0)) return Number.NaN;
  return positive > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
}

function isNothing({ units, x, y }: Beyond): boolean {
  return units.every((u) => u === 0n) && [...x, ...y].every((times) => times === 0);
}

function encode({ units, x, y }: Beyond): string {
  return [
    [...x, ...y].join(" "),
    ...units.map((u) => (u < 0n ? `-0x${(-u).toString(16)}` : `0x${u.toString(16)}`)),
  ].join("\n");
}

function decode(written: string): Beyond {
  const [counts = "", ...units] = written.split("\n");
  const [a, b, c, d, e, f] = counts.split(" ").map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    units: units.map((u) => (u.startsWith("-") ? -BigInt(u.slice(1)) : BigInt(u))),
    x: [a, b, c],
    y: [d, e, f],
  };
}
