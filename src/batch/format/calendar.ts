/**
 * The calendar: proleptic Gregorian. Days and civil dates convert by counting years from March, so that the leap day is the
 * last of its year: a 400-year era has 146,097 days, and the day of the year follows from the month by (153 m + 2) / 5.
 */

export const US_PER_SECOND = 1_000_000;
export const US_PER_DAY = 86_400_000_000;
export const US_PER_DAY_BIG = 86_400_000_000n;
/** 4714-11-24 BC, Julian day 0. */
export const FIRST_DAY = -2_440_588;

export interface CivilDate {
  /** Astronomical: 0 is 1 BC. */
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** Days since 1970-01-01 of a proleptic Gregorian date. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468; // 0000-03-01 is day -719,468
}

export function civilFromDays(days: number): CivilDate {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return { year, month, day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1 };
}

export function daysInMonth(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

/** `2024-05-06`, its era apart: `isBc`. */
export function dateParts(days: number): { readonly text: string; readonly isBc: boolean } {
  const { year: astronomical, month, day } = civilFromDays(days);
  const isBc = astronomical <= 0;
  const year = isBc ? 1 - astronomical : astronomical;
  const yearText = year > 9999 ? String(year) : twoDigits(Math.floor(year / 100)) + twoDigits(year % 100);
  return { text: yearText + "-" + twoDigits(month) + "-" + twoDigits(day), isBc };
}

/** `07:08:09.1`. */
export function timeText(us: number): string {
  const seconds = Math.floor(us / US_PER_SECOND);
  const fraction = us - seconds * US_PER_SECOND;
  return (
    twoDigits(Math.floor(seconds / 3600)) +
    ":" +
    twoDigits(Math.floor(seconds / 60) % 60) +
    ":" +
    twoDigits(seconds % 60) +
    (fraction === 0 ? "" : fractionText(fraction))
  );
}

const pairs = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, "0"));

export function twoDigits(n: number): string {
  return pairs[n] as string;
}

/** Microseconds without trailing zeros. */
export function fractionText(us: number): string {
  let digits = 6;
  while (us % 10 === 0) {
    us /= 10;
    digits--;
  }
  let text = String(us);
  while (text.length < digits) text = "0" + text;
  return "." + text;
}
