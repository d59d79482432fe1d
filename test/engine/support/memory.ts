/** A database on a simulated disk: nothing of it outlives the test, and every order of completion repeats. */
import type { StatementResult } from "../../../src/engine/api.ts";
import type { Database } from "../../../src/engine/database.ts";
import { type OpenEngineOptions, openEngine } from "../../../src/engine/open-engine.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";

export function openInMemory(
  disk = new SimulatedDisk(),
  options: Partial<OpenEngineOptions> = {},
): Promise<Database> {
  return openEngine({
    directory: "/data",
    disk,
    clock: new SimulatedClock(),
    checkpointIntervalMs: 0,
    ...(process.env["EVERT_WARM"] === "0" ? { warm: 0 } : {}),
    ...options,
  });
}

/** Runs the statements; the last one's answer. @throws what was refused. */
export async function sql(engine: Database, text: string): Promise<StatementResult> {
  const { results, error } = await engine.sql(text);
  if (error !== undefined) throw new Error(`${error.sqlstate} ${error.message}`);
  return results.at(-1) as StatementResult;
}

/** Waits until reads reflect what has been acknowledged, as they do at once on a fast machine. While a start replays the log they show what they show. */
export async function told({ core }: Database): Promise<void> {
  if (core.catchUp === null && core.failure === null)
    await core.publisher.waitFor(core.log.durablePosition, 60_000);
}

/** Rows of a SELECT as text, in which all is that has been acknowledged. */
export async function rowsOf(engine: Database, text: string): Promise<(string | null)[][]> {
  await told(engine);
  return (await sql(engine, text)).rowsText();
}
