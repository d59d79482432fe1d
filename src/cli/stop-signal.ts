/**
 * When a server is to end.
 *
 * 1. The first SIGTERM or SIGINT asks it to finish: drain, checkpoint, exit 0.
 * 2. Whoever sends SIGTERM again has SIGKILL for their impatience: it changes nothing.
 * 3. A second Ctrl-C ends at once, but not within a second of the first: npm hands on what the terminal has sent to the whole
 *    group already, so that each one arrives twice.
 * 4. A shell between npx and the server does not hand on SIGTERM: it dies and leaves the server behind. There the parent's end is
 *    the signal. Only there: a server that a script puts in the background outlives its parent with reason.
 */
import { exitCodes } from "./exit.ts";

const sameRequestMs = 1000;
const parentCheckMs = 250;

/** Resolves when the server is to finish; `report` is told why. */
export function stopSignal(report: (message: string) => void): Promise<void> {
  return new Promise((resolve) => {
    let askedAt: number | undefined;
    const ask = (reason: string) => {
      if (askedAt !== undefined) return;
      askedAt = performance.now();
      clearInterval(orphaned);
      report(`${reason}: finishing; Ctrl-C ends at once`);
      resolve();
    };
    const parent = process.ppid;
    const startedByNpx = process.env["npm_lifecycle_event"] === "npx";
    const orphaned = setInterval(() => {
      if (startedByNpx && process.ppid !== parent) ask("npx has ended");
    }, parentCheckMs);
    orphaned.unref();
    process.on("SIGTERM", () => ask("SIGTERM"));
    process.on("SIGINT", () => {
      if (askedAt !== undefined && performance.now() - askedAt > sameRequestMs)
        process.exit(exitCodes.failed);
      ask("SIGINT");
    });
  });
}
