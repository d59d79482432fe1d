/** evert schema */
import type { Command } from "commander";
import type { SchemasAnswer } from "../client/protocol.ts";
import { columnsText, type ListOptions, listFormat } from "./lists.ts";
import { write } from "./output.ts";
import { Remote, withRemote } from "./remote.ts";
import { tableText } from "./tables.ts";

export function schemaCommand(evert: Command): void {
  withRemote(
    evert
      .command("schema <topic>")
      .description("the schemas that a topic has had, and what changed between them")
      .addOption(listFormat()),
  ).action(schema);
}

async function schema(topic: string, options: ListOptions): Promise<void> {
  const path = `/v1/topics/${encodeURIComponent(topic)}/schemas`;
  const { schemas } = await new Remote(options).get<SchemasAnswer>(path);
  if (options.format === "json") return write(`${JSON.stringify(schemas)}\n`);
  const columns = [
    { name: "version", type: "number" },
    { name: "position", type: "number" },
    { name: "time", type: "text" },
    { name: "columns", type: "text" },
    { name: "changes", type: "text" },
  ];
  const rows = schemas.map((s) => [
    String(s.version),
    s.position,
    s.timestamp,
    columnsText(s),
    s.changes.join("; "),
  ]);
  await write(`${tableText(columns, rows)}\n`);
}
