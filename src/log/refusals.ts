/** Why the log takes nothing at present, or never will again. */
import { isWellFormed } from "../base/bytes.ts";
import { EvertError } from "../base/errors.ts";

/** Of frames that wait to be confirmed, beyond which nothing is appended. */
export const UNCONFIRMED_BYTES_MAX = 64 << 20;
export const KEY_UNITS_MAX = 1024;

export function unconfirmed(): EvertError {
  return new EvertError("not_ready", "too much waits for replicas to have it", {
    detail: `More than ${UNCONFIRMED_BYTES_MAX} bytes are on this disk, and not on theirs.`,
    hint: "Start the replicas, or this server without --sync-followers; appends go on by themselves.",
  });
}

export function shuttingDown(): EvertError {
  return new EvertError("shutting_down", "the database is shutting down");
}

/** `full`: why no room could be made when it was tried last. */
export function noRoom(bytes: number, full: EvertError | null): EvertError {
  const detail = `The commit takes up to ${bytes} bytes, and no room for it has been made yet.`;
  if (full?.code === "too_many_files") return full;
  return full !== null
    ? new EvertError("disk_full", "the disk is full", {
        detail,
        hint: "Free some space; appends go on by themselves.",
      })
    : new EvertError("too_many_requests", "the commit is larger than the room it asked for", {
        detail,
        hint: "Try again.",
      });
}

export function writeFailure(cause: unknown): EvertError {
  return new EvertError("io_error", "the log could not be written", {
    detail: cause instanceof Error ? cause.message : String(cause),
    hint: "Everything acknowledged is safe; look after the disk, then start again.",
    cause,
  });
}

export function checkKey(what: string, text: string | null): void {
  if (text === null) return;
  if (typeof text !== "string") throw new EvertError("invalid_argument", `the ${what} must be a string`);
  if (text.length === 0 || text.length > KEY_UNITS_MAX) {
    throw new EvertError("invalid_argument", `the ${what} has ${text.length} characters`, {
      detail: `1 to ${KEY_UNITS_MAX} are allowed`,
    });
  }
  if (!isWellFormed(text)) throw new EvertError("invalid_argument", `the ${what} is not well-formed Unicode`);
}
