/**
 * Nexmark's events as a file, for peers that are programs of their own: a line per record, `person`, `auction` or `bid` and its fields in the order of
 * the schema, with tabs between (no field holds one), times as microseconds since 1970. After each round a line `end`.
 */
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { Column } from "../../src/batch/batch.ts";
import { textAt } from "../../src/batch/column.ts";
import { type Round, TOPICS } from "./events.ts";

export async function writeEvents(path: string, rounds: readonly Round[]): Promise<void> {
  await pipeline(function* () {
    for (const round of rounds) yield roundText(round);
  }, createWriteStream(path));
}

function roundText({ batches }: Round): string {
  let lines = "";
  for (const topic of TOPICS) {
    const batch = batches.get(topic);
    if (batch === undefined) continue;
    for (let row = 0; row < batch.length; row++)
      lines += `${topic}\t${batch.columns.map((column) => fieldText(column, row)).join("\t")}\n`;
  }
  return `${lines}end\n`;
}

function fieldText(column: Column, row: number): string {
  return column.kind === "utf8" ? textAt(column, row) : String(column.values[row]);
}
