/** The JSON of what subscribers are told, put together of texts and bytes that are JSON already. Event streams and WebSockets send the same. */
import { utf8Length, writeUtf8 } from "../../base/bytes.ts";
import type { ColumnMessage, OrderColumnMessage } from "./messages.ts";

/** Of a message: text, or its UTF-8. */
export type Part = string | Uint8Array;

/** A longer message goes out in parts, so that no single encoding or write holds up the event loop. */
const WHOLE_BYTES_MAX = 128 * 1024;

interface Snapshot {
  readonly columns: readonly ColumnMessage[];
  readonly keyColumns: readonly string[];
  readonly order: readonly OrderColumnMessage[];
  readonly rowsJson: readonly string[];
  readonly position: string;
  readonly last: boolean;
  readonly stale?: true;
}

/** The members of a SnapshotMessage without `view`, without braces. */
export function snapshotMembers(snapshot: Snapshot): string {
  const { columns, keyColumns, order, rowsJson, position, last, stale } = snapshot;
  return (
    `"columns":${JSON.stringify(columns)},"keyColumns":${JSON.stringify(keyColumns)},"order":${JSON.stringify(order)},` +
    `"rows":[${rowsJson.join(",")}],"position":"${position}","last":${last}${stale === true ? ',"stale":true' : ""}`
  );
}

/** The members of a StepMessage, without braces. */
export function stepMembers(position: string, views: ReadonlyMap<string, readonly Uint8Array[]>): Part[] {
  const parts: Part[] = [`"position":"${position}","views":{`];
  let separator = "";
  for (const [view, changes] of views) {
    parts.push(`${separator}${JSON.stringify(view)}:`);
    pushArray(parts, changes);
    separator = ",";
  }
  parts.push("}");
  return parts;
}

/** Appends a JSON array, given as its elements. */
export function pushArray(parts: Part[], pieces: readonly Uint8Array[]): void {
  parts.push("[");
  for (const [i, piece] of pieces.entries()) {
    if (i > 0) parts.push(",");
    parts.push(piece);
  }
  parts.push("]");
}

/** A short message as one part. */
export function joinShort(parts: readonly Part[]): readonly Part[] {
  let bytes = 0;
  for (const part of parts) bytes += typeof part === "string" ? utf8Length(part) : part.length;
  if (bytes > WHOLE_BYTES_MAX) return parts;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    if (typeof part === "string") at = writeUtf8(part, whole, at);
    else {
      whole.set(part, at);
      at += part.length;
    }
  }
  return [whole];
}
