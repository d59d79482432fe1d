/** evert topics */
import { type Command, Option } from "commander";
import type { TopicsAnswer } from "../client/protocol.ts";
import { write } from "./output.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";
import { tableText } from "./tables.ts";

interface ListOptions extends RemoteOptions {
  readonly format: "table" | "json";
}

export function listFormat(): Option {
  return new Option("--format <format>", "how to print").choices(["table", "json"]).default("table");
}

export function topicsCommand(evert: Command): void {
  withRemote(
    evert.command("topics").description("list the topics and their figures").addOption(listFormat()),
  ).action(topics);
}

async function topics(options: ListOptions): Promise<void> {
  const { topics: list } = await new Remote(options).get<TopicsAnswer>("/v1/topics");
  if (options.format === "json") return write(`${JSON.stringify(list)}\n`);
  const columns = [
    { name: "topic", type: "text" },
    { name: "kind", type: "text" },
    { name: "key", type: "text" },
    { name: "columns", type: "text" },
    { name: "records", type: "number" },
    { name: "rows", type: "number" },
    { name: "bytes", type: "number" },
  ];
  const rows = list.map((topic) => [
    topic.name,
    topic.kind,
    topic.key?.join(", ") ?? null,
    topic.columns.map((column) => `${column.name} ${column.declaredType}`).join(", "),
    String(topic.records),
    String(topic.rows),
    bytesText(topic.stateBytes),
  ]);
  await write(`${tableText(columns, rows)}\n`);
}

/** 1.5 MB */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = bytes;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
