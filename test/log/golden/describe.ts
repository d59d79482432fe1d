/** All that a log says, a line each: commits with their keys, then rows by topic and offset. */
import type { Log } from "../../../src/log/log.ts";
import { readRange } from "../sealed/support.ts";

export async function describeLog(log: Log): Promise<string> {
  return `${(await readRange(log, { from: 1 })).join("\n")}\n`;
}
