/** What a request in process says, as a digest: under one idempotency key the same request is answered again, another one refused. */
import { createHash } from "node:crypto";
import type { Batch, Column } from "../../batch/batch.ts";
import type { Expectation } from "../api.ts";
import type { Part } from "./part.ts";

export function digestOf(parts: readonly Part[], expectations: readonly Expectation[] = []): string {
  const hash = createHash("sha256");
  if (expectations.length > 0) hash.update(JSON.stringify(expectations, exact));
  for (const part of parts) {
    if (part.op === "batch") {
      hash.update(JSON.stringify([part.topic.name, part.op, part.batch.length]));
      for (const bytes of bytesOf(part.batch)) hash.update(bytes);
      if (part.ops !== null) hash.update(part.ops);
    } else hash.update(JSON.stringify([part.topic.name, part.op, part.given ?? part.rows], exact));
  }
  return hash.digest("base64url");
}

/** JSON has no form for these. */
function exact(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function* bytesOf(batch: Batch): Generator<Uint8Array> {
  for (const column of batch.columns) {
    if (column.validity !== null) yield column.validity;
    for (const { buffer, byteOffset, byteLength } of arraysOf(column)) {
      yield new Uint8Array(buffer, byteOffset, byteLength);
    }
  }
}

function arraysOf(column: Column): readonly ArrayBufferView[] {
  return column.kind === "utf8" ? [column.offsets, column.data] : [column.values];
}
