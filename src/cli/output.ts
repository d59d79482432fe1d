/** Standard output: at the pace of whoever reads it, and quiet when they stop. */
import { watchPipeReader } from "./pipe-reader.ts";

let closed = false;

/** Call first. A reader that has seen enough (`| head`) is no error. */
export function prepareOutput(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    closed = true;
  });
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

/** Resolves when more may be written, or when nobody reads any more. */
export async function write(text: string | Uint8Array): Promise<void> {
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
