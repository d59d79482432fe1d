/** How many records of a request may go to dead letters: with each its bytes and the reason are kept until all are stored. */
import { EvertError } from "../../base/errors.ts";
import type { DeadLetter } from "../../engine/api.ts";

const DEAD_LETTERS_MAX = 10_000;

/** One more. @throws EvertError request_too_large where there are too many: then the request is not what its topic takes. */
export function addDeadLetter(deadLetters: DeadLetter[], one: DeadLetter): void {
  if (deadLetters.length === DEAD_LETTERS_MAX) {
    throw new EvertError(
      "request_too_large",
      `more than ${DEAD_LETTERS_MAX.toLocaleString("en")} records of one request cannot be decoded`,
      {
        detail: `The first one: ${deadLetters[0]?.error.message}.`,
        hint: "If they are what they should be, send fewer at once.",
      },
    );
  }
  deadLetters.push(one);
}
