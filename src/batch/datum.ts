/**
 * A value inside, by the type's carrier: int32 and double number (a date its days, an enum its label's number); bool boolean; int64 (int8,
 * times in microseconds, small numeric unscaled) bigint; string: text, PostgreSQL's text of numeric, interval, arrays, canonical JSON.
 * Where a bigint is expected, functions of batch/ take a safe number as well.
 */
export type Datum = number | bigint | boolean | string | null;
