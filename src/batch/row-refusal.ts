/** A commit is refused because of one of its rows. The message is that of any such refusal: where the row came from, a line of a file for one, says who knows it. */
import { EvertError } from "../base/errors.ts";

export class RowRefusal extends EvertError {
  /** Of the commit's parts, and of that part's rows. */
  readonly part: number;
  readonly row: number;

  constructor({ code, message, detail, hint, sqlstate, cause }: EvertError, part: number, row: number) {
    super(code, message, { detail, hint, sqlstate, cause });
    this.part = part;
    this.row = row;
  }
}
