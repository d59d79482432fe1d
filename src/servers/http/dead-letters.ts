/** Records that are put aside. How many of a request may be: with each its bytes and the reason are kept until all are stored. */
import { type ErrorCode, EvertError } from "../../base/errors.ts";
import type { DeadLetter } from "../../engine/api.ts";

const DEAD_LETTERS_MAX = 10_000;

/** The last is of a schema that checks asynchronously. */
const OF_MORE: ReadonlySet<ErrorCode> = new Set(["record_too_large", "internal", "invalid_table_definition"]);

/** Whether something is wrong with more than the record that met it. */
export function isOfMore({ code }: EvertError): boolean {
  return OF_MORE.has(code);
}

/** One more. @throws EvertError request_too_large */
export function addDeadLetter(deadLetters: DeadLetter[], one: DeadLetter): void {
  refuseMore(deadLetters.length, deadLetters[0]);
  deadLetters.push(one);
}

/** @throws EvertError request_too_large where there are so many that no more are put aside: then the request is not what its topic takes. */
export function refuseMore(count: number, first: DeadLetter | undefined): void {
  if (count < DEAD_LETTERS_MAX) return;
  throw new EvertError(
    "request_too_large",
    `more than ${DEAD_LETTERS_MAX.toLocaleString("en")} records of one request cannot be decoded`,
    {
      detail: `The first one: ${first?.error.message}.`,
      hint: "If they are what they should be, send fewer at once.",
    },
  );
}
