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

/** Rows of a SELECT as text. */
export async function rowsOf(engine: Database, text: string): Promise<(string | null)[][]> {
  return (await sql(engine, text)).rowsText();
}
