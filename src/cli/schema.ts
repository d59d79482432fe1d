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
      .addOption(listFormat())
      .option("--avro", "the present one, as an Avro schema"),
  ).action(schema);
}

async function schema(topic: string, options: ListOptions & { readonly avro?: boolean }): Promise<void> {
  const path = `/v1/topics/${encodeURIComponent(topic)}`;
  const remote = new Remote(options);
  const { schemas } = await remote.get<SchemasAnswer>(`${path}/schemas`);
  if (options.avro === true) {
    const avro = schemas.at(-1)?.avro ?? null;
    // Why it has none is what a read of it is refused with.
    if (avro === null) return void (await remote.stream(`${path}/records?limit=0`, "avro/binary"));
    return write(`${JSON.stringify(JSON.parse(avro.schema), null, 2)}\n`);
  }
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
