/** evert consumers */
import type { Command } from "commander";
import type { ConsumersAnswer } from "../client/protocol.ts";
import { type ListOptions, listFormat } from "./lists.ts";
import { write } from "./output.ts";
import { Remote, withRemote } from "./remote.ts";
import { tableText } from "./tables.ts";

export function consumersCommand(evert: Command): void {
  withRemote(
    evert
      .command("consumers")
      .description("list the consumers and how far they have come")
      .addOption(listFormat()),
  ).action(consumers);
}

async function consumers(options: ListOptions): Promise<void> {
  const { consumers: list } = await new Remote(options).get<ConsumersAnswer>("/v1/consumers");
  if (options.format === "json") return write(`${JSON.stringify(list)}\n`);
  const columns = [
    { name: "consumer", type: "text" },
    { name: "topic", type: "text" },
    { name: "next", type: "number" },
    { name: "end", type: "number" },
    { name: "lag", type: "number" },
    { name: "lost", type: "number" },
    { name: "epoch", type: "number" },
    { name: "updated", type: "text" },
  ];
  const rows = list.flatMap(({ name, epoch, updatedAt, topics }) =>
    topics.map(({ topic, offset, end, lag, lost }) => [
      name,
      topic,
      ...[offset, end, lag, lost, epoch].map(String),
      updatedAt,
    ]),
  );
  await write(`${tableText(columns, rows)}\n`);
}
