/** What may be taken out of a topic's history, as people say it: '7 days', '10 GB'. History is kept for ever unless something is said. */
import { EvertError } from "../base/errors.ts";
import { formatInterval, intervalInfinity, intervalSpan, parseInterval } from "../batch/format/interval.ts";

export interface Keeping {
  /** A stream's records go when they are older, in microseconds of log time. */
  readonly retainForUs?: number;
  /** A stream's oldest records go while those that stay take at least so many bytes of sealed segments. */
  readonly retainBytes?: number;
  /** Of each key of a table only the last record stays; a tombstone for so many microseconds of log time. */
  readonly tombstonesForUs?: number;
  /** Also where a view still depends on what goes. */
  readonly despiteViews?: boolean;
}

export const TOMBSTONES_FOR_US = 86_400_000_000;

/** An interval in PostgreSQL's words, in microseconds. @throws EvertError invalid_argument */
export function durationUs(option: string, text: string): number {
  const interval = parsed(option, text);
  const us = Number(intervalSpan(interval));
  if (intervalInfinity(interval) !== 0 || us < 0 || !Number.isSafeInteger(us))
    throw badDuration(option, text);
  return us;
}

function parsed(option: string, text: string): ReturnType<typeof parseInterval> {
  try {
    return parseInterval(text);
  } catch (cause) {
    throw badDuration(option, text, cause);
  }
}

function badDuration(option: string, text: string, cause?: unknown): EvertError {
  return new EvertError("invalid_argument", `${option} is no length of time: ${JSON.stringify(text)}`, {
    hint: "Say for example '7 days', '12 hours' or '00:30:00'.",
    cause,
  });
}

/** The same in words. */
export function durationText(us: number): string {
  const day = 86_400_000_000;
  const days = Math.floor(us / day);
  return formatInterval({ months: 0, days, us: BigInt(us - days * day) });
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  kB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
};

/** A number of bytes, with PostgreSQL's units (1 kB is 1,024). @throws EvertError invalid_argument */
export function byteCount(option: string, text: string): number {
  const [, digits, unit] = /^\s*(\d+)\s*([A-Za-z]*)\s*$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : UNITS[unit];
  const bytes = Number(digits) * (factor ?? Number.NaN);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new EvertError("invalid_argument", `${option} is no number of bytes: ${JSON.stringify(text)}`, {
    hint: "Give bytes, or one of the units B, kB, MB, GB and TB: '10 GB'.",
  });
}

/** @throws EvertError invalid_table_definition where it says what a topic of that kind cannot do */
export function checkKeeping(keeping: Keeping, topicKind: "stream" | "table", hasKey: boolean): void {
  const refuse = (message: string, hint: string): never => {
    throw new EvertError("invalid_table_definition", message, { hint });
  };
  if (topicKind === "table" && (keeping.retainForUs !== undefined || keeping.retainBytes !== undefined)) {
    refuse(
      "a table's rows do not go by age or size",
      "Compact it, which leaves the last record of each key; or delete rows.",
    );
  }
  if (keeping.tombstonesForUs === undefined) return;
  if (topicKind === "stream")
    refuse("a stream has no key to be compacted by", "Say retain_for or retain_bytes instead.");
  if (!hasKey) refuse("a table without a key of its own is not compacted", "Declare a primary key.");
}

export function sameKeeping(a: Keeping | undefined, b: Keeping | undefined): boolean {
  const all = (k: Keeping = {}): unknown[] => [
    k.retainForUs,
    k.retainBytes,
    k.tombstonesForUs,
    k.despiteViews === true,
  ];
  return String(all(a)) === String(all(b));
}
