/** Standard output: at the pace of whoever reads it, and quiet when they stop. */
import { once } from "node:events";

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

export async function write(text: string | Uint8Array): Promise<void> {
  if (closed || process.stdout.write(text)) return;
  // "close" comes after an error, too.
  const stop = new AbortController();
  try {
    await Promise.race([
      once(process.stdout, "drain", { signal: stop.signal }),
      once(process.stdout, "close", { signal: stop.signal }),
    ]);
  } finally {
    stop.abort();
  }
}
