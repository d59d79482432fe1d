/** Standard output: at the pace of whoever reads it, and quiet when they stop. */
import { EvertError } from "../base/errors.ts";
import { watchPipeReader } from "./pipe-reader.ts";

let closed = false;
/** Why it takes no more, where its reader is not the reason: a full disk, say. */
let failure: EvertError | undefined;

/** Call first. A reader that has seen enough (`| head`) is no error. */
export function prepareOutput(): void {
  process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
    closed = true;
    if (cause.code === "EPIPE") return;
    failure = new EvertError("io_error", "cannot write to standard output", { detail: cause.message, cause });
  });
  // Where nobody reads what went wrong, the exit code says that something did.
  process.stderr.on("error", () => undefined);
}

/** Call last: only then is it known whether all of it was written. @throws EvertError io_error */
export async function outputEnded(): Promise<void> {
  if (!closed) await new Promise<void>((resolve) => process.stdout.write("", () => resolve()));
  if (failure !== undefined) throw failure;
}

/** Whether nobody reads any more: a command may as well stop. */
export function outputClosed(): boolean {
  return closed;
}

/** Calls `onClosed` once nobody reads any more: at a write that shows it or, where the system can tell, before that. */
export function whenOutputCloses(onClosed: () => void): void {
  process.stdout.once("error", onClosed);
  process.stdout.once("close", onClosed);
  watchPipeReader(() => {
    closed = true;
    onClosed();
  });
}

/** Resolves when more may be written, or when nobody reads any more. @throws EvertError io_error */
export async function write(text: string | Uint8Array): Promise<void> {
  if (failure !== undefined) throw failure;
  if (closed || process.stdout.write(text)) return;
  await new Promise<void>((resolve) => {
    const events = ["drain", "error", "close"];
    const done = () => {
      for (const event of events) process.stdout.off(event, done);
      resolve();
    };
    for (const event of events) process.stdout.on(event, done);
  });
}
