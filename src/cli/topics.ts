/** evert topics */
import type { Command } from "commander";
import type { TopicMessage, TopicsAnswer } from "../client/protocol.ts";
import { bytesText, columnsText, keyText, type ListOptions, listFormat, saidBytesText } from "./lists.ts";
import { write } from "./output.ts";
import { Remote, withRemote } from "./remote.ts";
import { tableText } from "./tables.ts";

export function topicsCommand(evert: Command): void {
  withRemote(
    evert.command("topics").description("list the topics and their figures").addOption(listFormat()),
  ).action(topics);
}

/** `all`, or what goes and who holds it back. */
function keepsText({ keeping }: TopicMessage): string {
  if (keeping === null) return "all";
  const { retainFor, retainBytes, compact, heldBackBy } = keeping;
  const said = [
    ...(retainFor === null ? [] : [retainFor]),
    ...(retainBytes === null ? [] : [saidBytesText(retainBytes)]),
    ...(compact ? ["last of each key"] : []),
  ].join(", ");
  return heldBackBy.length === 0 ? said : `${said}; held back by ${heldBackBy.join(", ")}`;
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
    { name: "start", type: "number" },
    { name: "keeps", type: "text" },
    { name: "rows", type: "number" },
    { name: "bytes", type: "number" },
    { name: "on disk", type: "number" },
  ];
  const rows = list.map((topic) => [
    topic.name,
    topic.kind,
    keyText(topic),
    columnsText(topic),
    String(topic.records),
    String(topic.start),
    keepsText(topic),
    String(topic.rows),
    bytesText(topic.stateBytes),
    bytesText(topic.coldBytes),
  ]);
  await write(`${tableText(columns, rows)}\n`);
}
