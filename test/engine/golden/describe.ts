/** All that the golden database says: its rows and views, records with their offsets and times, schemas. */
import type { Database } from "../../../src/engine/database.ts";

export async function describeDatabase(db: Database): Promise<string> {
  const lines: string[] = [];
  for (const name of ["events", "rows", "plain", "sums"]) {
    const { results, error } = await db.sql(`SELECT * FROM ${name}`);
    if (error !== undefined) throw error;
    lines.push(
      ...results
        .at(-1)!
        .rowsJson.map((row) => `${name} ${row}`)
        .sort(),
    );
  }
  for (const name of ["events", "rows", "plain"]) {
    for await (const { offset, position, timestamp, keyJson, valueJson } of db.readTopic(name))
      lines.push(`${name} ${offset} ${position} ${timestamp} ${keyJson} ${valueJson}`);
    for (const { version, position, timestamp, schema, changes } of db.schemas(name))
      lines.push(`${name} ${JSON.stringify({ version, position, timestamp, schema, changes })}`);
  }
  return `${lines.join("\n")}\n`;
}
