/** Window functions by their definition: for each row, every other row is asked whether it is in its frame. */
import type { Datum, Expr } from "../../src/plan/expression.ts";
import type { Aggregate, Frame, FrameBound, WindowFunction, WindowPlan } from "../../src/plan/plan.ts";
import type { Row } from "./oracle.ts";

export interface Means {
  evaluate(expr: Expr, row: Row): Datum;
  aggregate(a: Aggregate, rows: readonly Row[]): Datum;
  /** Of two rows by the window's order alone. */
  compare(a: Row, b: Row): number;
}

/** The functions' values for each row of one partition, in order. @throws EvertError */
export function windowValues(plan: WindowPlan, rows: readonly Row[], row: number, means: Means): Datum[] {
  return plan.functions.map((f) => valueIn(f, plan, rows, row, means));
}

function valueIn(f: WindowFunction, plan: WindowPlan, rows: readonly Row[], i: number, means: Means): Datum {
  const own = rows[i]!;
  const before = rows.filter((r) => means.compare(r, own) < 0);
  const notBehind = rows.filter((r) => means.compare(r, own) <= 0);
  const arg = (n: number, row: Row = own): Datum => means.evaluate(f.args[n]!, row);
  switch (f.fn) {
    case "row_number":
      return BigInt(i + 1);
    case "rank":
      return BigInt(before.length + 1);
    case "dense_rank": {
      let groups = 1;
      for (let j = 1; j <= i; j++) if (means.compare(rows[j - 1]!, rows[j]!) !== 0) groups++;
      return BigInt(groups);
    }
    case "percent_rank":
      return rows.length === 1 ? 0 : before.length / (rows.length - 1);
    case "cume_dist":
      return notBehind.length / rows.length;
    case "ntile": {
      const buckets = Number(arg(0));
      const sizes = Array.from(
        { length: buckets },
        (_, b) => Math.floor(rows.length / buckets) + (b < rows.length % buckets ? 1 : 0),
      );
      let left = i;
      return sizes.findIndex((size) => (left -= size) < 0) + 1;
    }
    case "lag":
    case "lead": {
      const offset = f.args[1] === undefined ? 1 : arg(1);
      if (offset === null) return null;
      const other = rows[i + (f.fn === "lag" ? -Number(offset) : Number(offset))];
      if (other !== undefined) return arg(0, other);
      return f.args[2] === undefined ? null : arg(2);
    }
    case "first_value":
    case "last_value": {
      const frame = frameOf(f.frame, plan, rows, i, means);
      const at = f.fn === "first_value" ? frame[0] : frame.at(-1);
      return at === undefined ? null : arg(0, at);
    }
    case "nth_value": {
      const n = arg(1);
      const at = n === null ? undefined : frameOf(f.frame, plan, rows, i, means)[Number(n) - 1];
      return at === undefined ? null : arg(0, at);
    }
    case "aggregate":
      return means.aggregate(f.aggregate!, frameOf(f.frame, plan, rows, i, means));
  }
}

function frameOf(frame: Frame, plan: WindowPlan, rows: readonly Row[], i: number, means: Means): Row[] {
  const groups: number[] = [];
  rows.forEach((row, j) => {
    groups.push(j === 0 ? 0 : groups[j - 1]! + (means.compare(rows[j - 1]!, row) === 0 ? 0 : 1));
  });
  return rows.filter((row, j) => {
    const isPeer = groups[j] === groups[i];
    if (frame.exclude === "currentRow" && j === i) return false;
    if (frame.exclude === "group" && isPeer) return false;
    if (frame.exclude === "ties" && isPeer && j !== i) return false;
    const place = (side: FrameBound): number => {
      // Where row j stands as seen from the bound: before it (negative), on it, behind it.
      if (side.kind === "unboundedPreceding") return 1;
      if (side.kind === "unboundedFollowing") return -1;
      const offset = "offset" in side ? Number(side.offset.value) * (side.kind === "preceding" ? -1 : 1) : 0;
      if (frame.mode === "rows") return j - (i + offset);
      if (frame.mode === "groups") return groups[j]! - (groups[i]! + offset);
      if (!("offset" in side)) return groups[j]! - groups[i]!;
      const { column, descending, nullsFirst } = plan.order[0]!;
      const [x, y] = [row[column]!, rows[i]![column]!];
      if (x === null || y === null) return x === y ? 0 : (x === null) === nullsFirst ? -1 : 1;
      const sign = descending ? -1 : 1;
      const [a, b] = [Number(x), Number(y)];
      if (Number.isNaN(a) || Number.isNaN(b)) {
        return Number.isNaN(a) && Number.isNaN(b) ? 0 : (Number.isNaN(a) ? 1 : -1) * sign;
      }
      return (a - (b + sign * offset)) * sign;
    };
    return place(frame.start) >= 0 && place(frame.end) <= 0;
  });
}
