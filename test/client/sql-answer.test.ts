/** Answers to SQL, read as they arrive: the same parts however the bytes are cut, and an end before its time is none. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { type SqlPart, sqlParts } from "../../src/client/sql-answer.ts";

const encoder = new TextEncoder();

function bodyOf(bytes: Uint8Array, cuts: readonly number[]): ReadableStream<Uint8Array> {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    pieces.push(bytes.subarray(from, end));
    from = end;
  }
  return new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
  });
}

function brokenOff(): EvertError {
  return new EvertError("connection_failed", "broken off");
}

interface Told {
  readonly results: { columns: unknown; rows: unknown[]; command?: string; rowCount?: number }[];
  error?: unknown;
  position?: string;
}

async function told(bytes: Uint8Array, cuts: readonly number[] = []): Promise<Told> {
  const all: Told = { results: [] };
  for await (const part of sqlParts(bodyOf(bytes, cuts), brokenOff)) note(part, all);
  return all;
}

function note(part: SqlPart, all: Told): void {
  if (part.kind === "columns") all.results.push({ columns: part.columns, rows: [] });
  else if (part.kind === "rows") all.results.at(-1)!.rows.push(...part.texts.map((t) => JSON.parse(t)));
  else if (part.kind === "end")
    Object.assign(all.results.at(-1)!, { command: part.command, rowCount: part.rowCount });
  else if (part.kind === "error") all.error = part.error;
  else all.position = part.position;
}

const value = fc.jsonValue({ maxDepth: 2 });
const result = fc.record({
  command: fc.string(),
  columns: fc.array(fc.record({ name: fc.string({ unit: "binary" }), type: fc.string() }), { maxLength: 3 }),
  rows: fc.array(fc.array(value, { maxLength: 3 }), { maxLength: 5 }),
  rowCount: fc.nat(),
});
const answer = fc.record(
  {
    results: fc.array(result, { maxLength: 3 }),
    error: fc.record({ code: fc.string() }),
    position: fc.string(),
  },
  { requiredKeys: ["results", "position"] },
);

test("however the bytes are cut, and whatever stands between them", async () => {
  await fc.assert(
    fc.asyncProperty(
      answer,
      fc.array(fc.nat()),
      fc.constantFrom(undefined, 1, "\t"),
      async (given, cuts, space) => {
        const bytes = encoder.encode(JSON.stringify(given, null, space));
        expect(await told(bytes, cuts)).toEqual(JSON.parse(JSON.stringify(given)));
      },
    ),
    { numRuns: 300 },
  );
});

test("members that it does not know are passed over, and the command may come last", async () => {
  const text =
    '{"new":{"a":[1,"]"]},"results":[{"columns":[],"more":[[]],"rows":[],"rowCount":0,"command":"X"}],"position":"3"}';
  expect(await told(encoder.encode(text))).toEqual({
    results: [{ columns: [], rows: [], command: "X", rowCount: 0 }],
    position: "3",
  });
});

test("what ends before its time is told as that, wherever it does", async () => {
  const bytes = encoder.encode(
    '{"results":[{"columns":[],"rows":[[1,"a\\\\\\""],[2]],"rowCount":2,"command":"X"}],"position":"3"}',
  );
  for (let end = 0; end < bytes.length; end++)
    await expect(told(bytes.subarray(0, end)), String(end)).rejects.toMatchObject({
      code: "connection_failed",
    });
});

test("what is no JSON is said to be none", async () => {
  for (const text of [
    "<html>",
    "[1]",
    '{"results":{}}',
    '{"results":[1]}',
    '{"a" 1}',
    '{"position":nothing}',
  ])
    await expect(told(encoder.encode(text)), text).rejects.toMatchObject({ code: "protocol_violation" });
});

test("nothing more is read when nobody wants it", async () => {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(encoder.encode('{"results":[{"columns":[],"rows":[[1],[2],')),
    cancel: () => {
      isCancelled = true;
    },
  });
  for await (const part of sqlParts(body, brokenOff)) if (part.kind === "rows") break;
  expect(isCancelled).toBe(true);
});
