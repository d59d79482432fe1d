/** What a command leaves behind: its exit code, and on standard error what went wrong, why, and what to do. */
import { CommanderError } from "commander";
import pc from "picocolors";
import { EvertError, toEvertError } from "../base/errors.ts";

export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** Wrong usage that the parser of arguments cannot see. */
export class UsageError extends Error {}

/** What was looked for is not so, and that has been printed: as `diff` leaves it, and `grep`. */
export class Unequal extends Error {}

/** A signal has ended the command, which says what it leaves behind. */
export class Interrupted extends Error {
  readonly signal: NodeJS.Signals;
  readonly hint: string | undefined;

  constructor(signal: NodeJS.Signals, message: string, hint: string | undefined) {
    super(message);
    this.signal = signal;
    this.hint = hint;
  }
}

/** Colours only for eyes; a command within a pipe has none, on standard error neither. */
const eyes = process.stdout.isTTY === true && pc.isColorSupported;
export const errorColors = pc.createColors(eyes && process.stderr.isTTY === true);
export const outputColors = pc.createColors(eyes);

export function printError(error: EvertError): void {
  process.stderr.write(`${errorText(error)}\n`);
}

function errorText(error: EvertError): string {
  const { red, dim } = errorColors;
  const [message = "", ...place] = error.message.split("\n");
  const lines = [`${red("error:")} ${message} ${dim(`(${error.code}, ${error.sqlstate})`)}`, ...place];
  if (error.detail !== undefined) lines.push(`${dim("detail:")} ${error.detail}`);
  if (error.hint !== undefined) lines.push(`${dim("hint:")} ${error.hint}`);
  return lines.join("\n");
}

/** The exit code of a thrown value, after telling what there is to tell. */
export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (thrown instanceof UsageError) {
    process.stderr.write(`${errorColors.red("error:")} ${thrown.message}\n`);
    return exitCodes.usage;
  }
  if (thrown instanceof Unequal) return exitCodes.failed;
  if (thrown instanceof Interrupted) {
    const { red, dim } = errorColors;
    process.stderr.write(`${red("interrupted:")} ${thrown.message}\n`);
    if (thrown.hint !== undefined) process.stderr.write(`${dim("hint:")} ${thrown.hint}\n`);
    // Whoever waits for it sees that a signal ended it.
    process.kill(process.pid, thrown.signal);
    return exitCodes.failed;
  }
  printError(toEvertError(thrown));
  return exitCodes.failed;
}

/** What a command says of a file that it cannot read. */
export function unreadable(file: string, cause: unknown): EvertError {
  return new EvertError("io_error", `cannot read ${file}`, { detail: (cause as Error).message, cause });
}
