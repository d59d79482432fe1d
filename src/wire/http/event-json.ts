/** The JSON of what subscribers are told, put together of texts that are JSON already. Event streams and WebSockets send the same. */
import type { ColumnMessage, OrderColumnMessage } from "./messages.ts";

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

/** The members of a StepMessage, without braces, in pieces. */
export function stepMembers(position: string, views: ReadonlyMap<string, readonly string[]>): string[] {
  const text = ['"position":"', position, '","views":{'];
  let separator = "";
  for (const [view, changes] of views) {
    text.push(`${separator}${JSON.stringify(view)}:`);
    pushArray(text, changes);
    separator = ",";
  }
  text.push("}");
  return text;
}

/** Appends a JSON array, given as texts of its elements. */
export function pushArray(text: string[], pieces: readonly string[]): void {
  text.push("[");
  for (const [i, piece] of pieces.entries()) {
    if (i > 0) text.push(",");
    text.push(piece);
  }
  text.push("]");
}
