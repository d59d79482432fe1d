/**
 * Time zones: IANA's names (by the tables of the JavaScript engine), abbreviations, POSIX forms such as UTC+3, and offsets as intervals.
 *
 * A local time that a change of the clocks leaves out is read by the offset before the change, one that comes twice by the offset after it, as
 * PostgreSQL does.
 */

import { FIRST_DAY, US_PER_DAY_BIG } from "../../batch/format/calendar.ts";
import { intervalInfinity, parseInterval } from "../../batch/format/interval.ts";
import { TIMESTAMP_INFINITY } from "../../batch/format/timestamptz.ts";
import { isInfiniteTime } from "./datetime.ts";
import { fail, scalarError, timestampOutOfRange } from "./errors.ts";

/** Seconds east of Greenwich at an instant in seconds. */
type Zone = (seconds: number) => number;

/** Offsets in hours of the abbreviations PostgreSQL knows by default and the engine does not. */
const abbreviations: Readonly<Record<string, number>> = {
  z: 0,
  zulu: 0,
  ut: 0,
  gmt: 0,
  utc: 0,
  wet: 0,
  west: 1,
  wetdst: 1,
  bst: 1,
  cet: 1,
  met: 1,
  cest: 2,
  mest: 2,
  cetdst: 2,
  eet: 2,
  sast: 2,
  ist: 2,
  eest: 3,
  eetdst: 3,
  idt: 3,
  msk: 3,
  msd: 4,
  pkt: 5,
  pkst: 6,
  jst: 9,
  kst: 9,
  awst: 8,
  acst: 9.5,
  aest: 10,
  acdt: 10.5,
  aedt: 11,
  nzst: 12,
  nzdt: 13,
  hst: -10,
  akst: -9,
  akdt: -8,
  pst: -8,
  pdt: -7,
  mst: -7,
  mdt: -6,
  cst: -6,
  cdt: -5,
  est: -5,
  edt: -4,
  ast: -4,
  adt: -3,
  nst: -3.5,
  ndt: -2.5,
  brt: -3,
  art: -3,
};

const zones = new Map<string, Zone | null>();

/** null: there is none of that name. */
function zoneOf(name: string): Zone | null {
  const key = name.toLowerCase();
  let zone = zones.get(key);
  if (zone === undefined) {
    if (zones.size > 1000) zones.clear();
    zones.set(key, (zone = makeZone(name, key)));
  }
  return zone;
}

function makeZone(name: string, key: string): Zone | null {
  const known = Object.hasOwn(abbreviations, key) ? abbreviations[key] : undefined;
  if (known !== undefined) return () => known * 3600;
  const posix = /^(?:[a-z]{3,}|<[^>]+>)?([+-]?)(\d{1,3})(?::(\d{1,2}))?(?::(\d{1,2}))?$/i.exec(name);
  if (posix !== null) return posixZone(posix);
  if (!/^[a-z]/i.test(name)) return null;
  try {
    return ianaZone(name);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Hours west, where everybody else counts east. */
function posixZone([, sign, h, m = "0", s = "0"]: RegExpExecArray): Zone | null {
  const seconds = Number(h) * 3600 + Number(m) * 60 + Number(s);
  if (Number(h) > 167 || Number(m) > 59 || Number(s) > 59) return null;
  const offset = sign === "-" ? seconds : -seconds;
  return () => offset;
}

const DATE_SECONDS_MAX = 8_640_000_000_000;
/** Clocks change on quarters of an hour. */
const BUCKET = 900;
const BUCKETS_KEPT = 10_000;

function ianaZone(name: string): Zone {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
  const offsets = new Map<number, number>();
  return (seconds) => {
    const at = Math.max(-DATE_SECONDS_MAX, Math.min(DATE_SECONDS_MAX, seconds));
    const bucket = Math.floor(at / BUCKET);
    let offset = offsets.get(bucket);
    if (offset === undefined) {
      if (offsets.size >= BUCKETS_KEPT) offsets.clear();
      const said = format.formatToParts(at * 1000).find((p) => p.type === "timeZoneName")!.value;
      offsets.set(bucket, (offset = offsetOf(said)));
    }
    return offset;
  };
}

/** GMT, GMT+05:30, GMT-04:56:02. */
function offsetOf(said: string): number {
  const [, sign, h, m, s = "0"] = /^GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(said) ?? ["", "+", "0", "0"];
  const seconds = Number(h) * 3600 + Number(m) * 60 + Number(s);
  return sign === "-" ? -seconds : seconds;
}

const DAY = 86_400;

function localOffset(zone: Zone, local: number): number {
  const [before, after] = [zone(local - DAY), zone(local + DAY)];
  if (before === after) return before;
  const [fitsBefore, fitsAfter] = [zone(local - before) === before, zone(local - after) === after];
  if (fitsBefore === fitsAfter) return fitsBefore ? after : before;
  return fitsBefore ? before : after;
}

function secondsOf(us: bigint): number {
  const seconds = us / 1_000_000n;
  return Number(us < 0n && seconds * 1_000_000n !== us ? seconds - 1n : seconds);
}

function shifted(us: bigint, seconds: number): bigint {
  const moved = us + BigInt(Math.round(seconds)) * 1_000_000n;
  return moved >= BigInt(FIRST_DAY) * US_PER_DAY_BIG && moved < TIMESTAMP_INFINITY
    ? moved
    : fail(timestampOutOfRange, 0n);
}

function unknownZone(name: string) {
  return scalarError("invalid_argument", `time zone "${name}" not recognized`);
}

/** What clocks there show at the instant. */
/** Seconds east of Greenwich of an abbreviation, such as CET; null for what is none. */
export function zoneOffset(abbreviation: string): number | null {
  const key = abbreviation.toLowerCase();
  return Object.hasOwn(abbreviations, key) ? abbreviations[key]! * 3600 : null;
}

export function toLocal(name: string, us: bigint): bigint {
  if (isInfiniteTime(us)) return us;
  const zone = zoneOf(name);
  if (zone === null) return fail(unknownZone(name), 0n);
  return shifted(us, zone(secondsOf(us)));
}

/** The instant at which clocks there show this. */
export function toInstant(name: string, us: bigint): bigint {
  if (isInfiniteTime(us)) return us;
  const zone = zoneOf(name);
  if (zone === null) return fail(unknownZone(name), 0n);
  return shifted(us, -localOffset(zone, secondsOf(us)));
}

function intervalSeconds(written: string): number | null {
  const span = parseInterval(written);
  if (intervalInfinity(span) !== 0) {
    return fail(
      scalarError("invalid_argument", "interval time zone must be finite: " + `"${written}"`),
      null,
    );
  }
  if (span.months !== 0 || span.days !== 0) {
    const message = `interval time zone "${written}" must not include months or days`;
    return fail(scalarError("invalid_argument", message), null);
  }
  return Number(span.us / 1_000_000n);
}

export const zoneLibrary = {
  timestamp_at_zone: toInstant,
  timestamptz_at_zone: toLocal,
  timestamp_at_offset: (span: string, us: bigint) => {
    if (isInfiniteTime(us)) return us;
    const seconds = intervalSeconds(span);
    return seconds === null ? us : shifted(us, -seconds);
  },
  timestamptz_at_offset: (span: string, us: bigint) => {
    if (isInfiniteTime(us)) return us;
    const seconds = intervalSeconds(span);
    return seconds === null ? us : shifted(us, seconds);
  },
};
