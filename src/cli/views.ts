/** evert views, evert view drop VIEW */
import type { Command } from "commander";
import type { PositionAnswer, ViewMessage, ViewsAnswer } from "../client/protocol.ts";
import { bytesText, columnsText, keyText, type ListOptions, listFormat } from "./lists.ts";
import { write } from "./output.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";
import { tableText } from "./tables.ts";
import { versionCommands } from "./view-versions.ts";

export function viewsCommand(evert: Command): void {
  withRemote(
    evert.command("views").description("list the views and their figures").addOption(listFormat()),
  ).action(views);
}

export function viewCommand(evert: Command): void {
  const view = evert.command("view").description("manage a view");
  withRemote(view.command("drop <view>").description("drop a view, or one version of it")).action(drop);
  versionCommands(view);
}

async function views(options: ListOptions): Promise<void> {
  const {
    views: list,
    stateBytes,
    memoryLimit,
    coldBytes,
  } = await new Remote(options).get<ViewsAnswer>("/v1/views");
  if (options.format === "json") return write(`${JSON.stringify(list)}\n`);
  const columns = [
    { name: "view", type: "text" },
    { name: "status", type: "text" },
    { name: "key", type: "text" },
    { name: "columns", type: "text" },
    { name: "rows", type: "number" },
    { name: "bytes", type: "number" },
    { name: "on disk", type: "number" },
    { name: "lag", type: "number" },
    { name: "progress", type: "number" },
    { name: "errors", type: "number" },
  ];
  const rows = list.map((view) => [
    view.name,
    statusText(view),
    keyText(view),
    columnsText(view),
    String(view.rows),
    bytesText(view.stateBytes),
    bytesText(view.coldBytes),
    String(view.lag),
    `${Math.floor(view.progress * 100)} %`,
    String(view.errors),
  ]);
  const cold = coldBytes === 0 ? "" : `, and ${bytesText(coldBytes)} on disk`;
  const all = `state of all topics and views: ${bytesText(stateBytes)} of ${bytesText(memoryLimit)}${cold}`;
  await write(`${tableText(columns, rows)}\n${all}\n`);
}

function statusText(view: ViewMessage): string {
  const error =
    view.error ?? (view.sinkError && { message: `not appended to its sink: ${view.sinkError.message}` });
  return error === undefined ? view.status : `${view.status}: ${error.message}`;
}

async function drop(view: string, options: RemoteOptions): Promise<void> {
  const { position } = await new Remote(options).delete<PositionAnswer>(
    `/v1/views/${encodeURIComponent(view)}`,
  );
  await write(`${position}\n`);
}
