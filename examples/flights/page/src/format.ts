/** Numbers, times and lateness as this page shows them. */
import type { CSSProperties } from "react";

const grouped = new Intl.NumberFormat("en-US");
const oneDigit = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const count = (n: number | bigint) => grouped.format(n);
/** "167.9k", "1M". */
export const short = (n: number) => compact.format(n).replace("K", "k");
/** A real minus sign: it has the width of a digit. */
export const decimal = (n: number) => oneDigit.format(n).replace("-", "\u2212");
export const percent = (share: number) => `${oneDigit.format(share * 100)}%`;

/** "+12 min", "on time", "−3 min". */
export function delayText(minutes: number): string {
  if (minutes === 0) return "on time";
  return `${minutes > 0 ? "+" : "\u2212"}${grouped.format(Math.abs(minutes))} min`;
}

/** "00" to "23" of an hour. */
export const hourText = (hour: number) => String(hour).padStart(2, "0");

const day = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric", timeZone: "UTC" });
const fullDay = new Intl.DateTimeFormat("en-US", {
  month: "long",
  day: "numeric",
  year: "numeric",
  timeZone: "UTC",
});
const clock = new Intl.DateTimeFormat("en-US", {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
  timeZone: "UTC",
});

export const dayText = (iso: string) => day.format(new Date(iso));
export const fullDayText = (iso: string) => fullDay.format(new Date(iso));
export const clockText = (iso: string) => clock.format(new Date(iso));

/** The color scale: on time, ten minutes, twenty minutes and more. Its three colors are in the style sheet, for each theme. */
export const lateMinutes = 20;

export function lateColor(minutes: number): string {
  const share = Math.min(1, Math.max(0, minutes / lateMinutes));
  const upper = share > 0.5;
  const within = Math.round((upper ? 2 * share - 1 : 2 * share) * 100);
  return `color-mix(in oklab, var(--late-${upper ? 2 : 1}) ${within}%, var(--late-${upper ? 1 : 0}))`;
}

/** For the style of anything colored by lateness. */
export function lateStyle(minutes: number): CSSProperties {
  return { "--late": lateColor(minutes) } as CSSProperties;
}
