/** What the lists of `evert topics` and `evert views` share. */
import { Option } from "commander";
import type { TopicMessage, ViewMessage } from "../client/protocol.ts";
import type { RemoteOptions } from "./remote.ts";

export interface ListOptions extends RemoteOptions {
  readonly format: "table" | "json";
}

export function listFormat(): Option {
  return new Option("--format <format>", "how to print").choices(["table", "json"]).default("table");
}

export function keyText(relation: TopicMessage | ViewMessage): string | null {
  return relation.key?.join(", ") ?? null;
}

export function columnsText(relation: Pick<TopicMessage | ViewMessage, "columns">): string {
  return relation.columns.map((column) => `${column.name} ${column.declaredType}`).join(", ");
}

/** 1.5 MB */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = bytes;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A size as it was said: `retain_bytes = '10 GB'` has PostgreSQL's units, which are powers of 1024. */
export function saidBytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = bytes;
  for (; value > 0 && value % 1024 === 0 && unit < units.length - 1; unit++) value /= 1024;
  return `${value} ${units[unit]}`;
}
