/**
 * A value that came in many pieces was looked through from its beginning with each of them: 16 MiB in one row took the client a good quarter of a minute, and with 48
 * the server took it for gone. Looked at so, this one would take minutes.
 */
import { expect, test } from "vitest";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import { EvertError } from "../../src/base/errors.ts";
import { sqlParts } from "../../src/client/sql-answer.ts";

const PIECE_BYTES = 256;

test("a long value, in small pieces", async () => {
  const row = JSON.stringify([1, 'a\\"b'.repeat(2 << 20), null]);
  const bytes = encodeUtf8(`{"results":[{"columns":[],"rows":[${row},[2]],"rowCount":2}],"position":"3"}`);
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at < bytes.length) controller.enqueue(bytes.subarray(at, (at += PIECE_BYTES)));
      else controller.close();
    },
  });
  const rows: string[] = [];
  const brokenOff = () => new EvertError("connection_failed", "broken off");
  for await (const part of sqlParts(body, brokenOff)) if (part.kind === "rows") rows.push(...part.texts);
  expect(rows.length).toBe(2);
  expect(rows[0] === row).toBe(true);
  expect(rows[1]).toBe("[2]");
});
