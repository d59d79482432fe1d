/**
 * now() and its kin: CURRENT_TIMESTAMP, CURRENT_DATE, LOCALTIMESTAMP, LOCALTIME. In a statement that runs once they are constants, of the moment the
 * statement began. In a view's WHERE they are the log's time (temporal.ts); elsewhere in a view they have no value.
 */
import { notSupported } from "../base/errors.ts";
import { date, type SqlType, time, timestamp, timestamptz } from "../batch/types.ts";
import type { Datum, Expr } from "../plan/expression.ts";
import { type Bound, typed } from "./bound.ts";
import type { ExprPlace } from "./place.ts";
import { NOW } from "./temporal.ts";
import type { NodeOf } from "./tree.ts";

/** The clause behind DEFAULT, as messages name it. */
export const DEFAULTS = "DEFAULT expressions";

const US_PER_DAY = 86_400_000_000n;

interface Word {
  readonly type: SqlType;
  readonly of: (us: bigint) => Datum;
  /** What makes it of the log's time, where something does. */
  readonly ofLogTime: ((now: Expr) => Expr) | null;
}

const words: Readonly<Record<string, Word>> = {
  CURRENT_TIMESTAMP: { type: timestamptz, of: (us) => us, ofLogTime: (now) => now },
  LOCALTIMESTAMP: {
    type: timestamp,
    of: (us) => us,
    ofLogTime: (now) => ({ kind: "call", fn: "timestamptz_to_timestamp", args: [now], type: timestamp }),
  },
  CURRENT_DATE: {
    type: date,
    of: (us) => Number((us - timeOfDay(us)) / US_PER_DAY),
    ofLogTime: (now) => ({ kind: "call", fn: "timestamptz_to_date", args: [now], type: date }),
  },
  LOCALTIME: { type: time, of: timeOfDay, ofLogTime: null },
};

function timeOfDay(us: bigint): bigint {
  const rest = us % US_PER_DAY;
  return rest < 0n ? rest + US_PER_DAY : rest;
}

export function bindNow(
  node: NodeOf<"SQLValueFunction">,
  place: ExprPlace,
  start: number | undefined,
): Bound {
  const position = place.ctx.position(node.location);
  const op = (node.op ?? "").replace("SVFOP_", "");
  const name = op.replace(/_N$/, "");
  const word = Object.hasOwn(words, name) ? words[name]! : undefined;
  if (word === undefined) throw notSupported(op.replace(/_N$/, "(n)"), position);
  const moment = now(place, name, position);
  if (moment.kind === "const") {
    const us = rounded(moment.value as bigint, op === name ? 6 : (node.typmod ?? 0));
    return typed({ kind: "const", value: word.of(us), type: word.type }, start);
  }
  if (word.ofLogTime === null || op !== name)
    throw notSupported(`${op.replace(/_N$/, "(n)")} in ${place.ctx.defines ?? place.clause}`, position);
  return typed(word.ofLogTime(moment), start);
}

/** To so many digits of a second, half away from zero. */
function rounded(us: bigint, digits: number): bigint {
  const unit = 10n ** BigInt(6 - Math.min(digits, 6));
  const half = unit / 2n;
  return us < 0n ? -(((-us + half) / unit) * unit) : ((us + half) / unit) * unit;
}

export function now({ ctx, clause }: ExprPlace, said: string, position: number | undefined): Expr {
  if (ctx.defines !== null) {
    if (clause === "WHERE") return NOW;
    const hint =
      "A view depends on the log alone. Put the time into the records, compare it in WHERE, or compare it when reading the view.";
    throw notSupported(`${said} in ${ctx.defines}`, position, hint);
  }
  // The time of the statement that stores the row.
  if (clause === DEFAULTS) return NOW;
  if (ctx.time === null) throw notSupported(said, position);
  return { kind: "const", value: ctx.time.us, type: timestamptz };
}

/** The midnight with which the day of a statement that runs once began. */
export function midnight(place: ExprPlace, said: string, position: number | undefined): Expr {
  // Not the log's time, wherever in a view it stands.
  const moment = now(place.ctx.defines === null ? place : { ...place, clause: "" }, said, position);
  if (moment.kind !== "const") throw notSupported(`${said} in ${place.clause}`, position);
  const us = moment.value as bigint;
  return { kind: "const", value: us - timeOfDay(us), type: timestamp };
}
