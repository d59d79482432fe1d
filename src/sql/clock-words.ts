/** 'now', 'today', 'tomorrow' and 'yesterday' in a literal of a statement that runs once: written out by its clock. */
import { formatDate, formatTimestamp } from "../batch/format.ts";
import type { SqlType } from "../batch/types.ts";
import type { StatementTime } from "./context.ts";

const US_PER_DAY = 86_400_000_000n;
const dated: ReadonlySet<string> = new Set(["date", "timestamp", "timestamptz"]);
const shifts: Readonly<Record<string, number>> = { today: 0, tomorrow: 1, yesterday: -1 };

/** The text itself where it says none of them, or where there is no clock; then the type's input function refuses it by name. */
export function writtenOut(text: string, type: SqlType, time: StatementTime | null): string {
  if (time === null || (!dated.has(type.name) && type.name !== "time")) return text;
  const [, word, rest] = /^\s*(now|today|tomorrow|yesterday)(\s+\d.*)?\s*$/i.exec(text) ?? [];
  if (word === undefined) return text;
  const said = word.toLowerCase();
  if (said === "now") return rest === undefined ? formatTimestamp(time.us) : text;
  if (type.name === "time") return text;
  const { us } = time;
  const rem = us % US_PER_DAY;
  const day = Number((us - (rem < 0n ? rem + US_PER_DAY : rem)) / US_PER_DAY) + shifts[said]!;
  return formatDate(day) + (rest ?? "");
}
