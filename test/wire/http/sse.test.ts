import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeSseStream,
  encodeSse,
  encodeSseComment,
  encodeSseRetry,
  SseDecoder,
  type SseEvent,
} from "../../../src/wire/http/sse.ts";

function decode(...pieces: string[]): SseEvent[] {
  const decoder = new SseDecoder();
  return pieces.flatMap((piece) => decoder.push(piece));
}

describe("decoding", () => {
  test.each<[string, string, SseEvent[]]>([
    ["one line", "data: a\n\n", [{ event: "message", data: "a", id: "" }]],
    ["several data lines", "data: a\ndata:b\ndata\n\n", [{ event: "message", data: "a\nb\n", id: "" }]],
    ["only one space is dropped", "data:  a\n\n", [{ event: "message", data: " a", id: "" }]],
    ["event and id", "event: step\nid: 7\ndata: x\n\n", [{ event: "step", data: "x", id: "7" }]],
    [
      "an id stays",
      "id: 7\ndata: x\n\ndata: y\n\n",
      [
        { event: "message", data: "x", id: "7" },
        { event: "message", data: "y", id: "7" },
      ],
    ],
    ["an id with NUL is ignored", "id: 1\0\ndata: x\n\n", [{ event: "message", data: "x", id: "" }]],
    [
      "an event name does not stay",
      "event: e\ndata: x\n\ndata: y\n\n",
      [
        { event: "e", data: "x", id: "" },
        { event: "message", data: "y", id: "" },
      ],
    ],
    ["an event without data is none", "event: e\n\ndata: y\n\n", [{ event: "message", data: "y", id: "" }]],
    [
      "comments and unknown fields",
      ": hello\nfoo: bar\ndata: x\n\n",
      [{ event: "message", data: "x", id: "" }],
    ],
    [
      "CR and CRLF",
      "data: a\rdata: b\r\n\r\ndata: c\r\r",
      [
        { event: "message", data: "a\nb", id: "" },
        { event: "message", data: "c", id: "" },
      ],
    ],
    ["a byte order mark", "\ufeffdata: x\n\n", [{ event: "message", data: "x", id: "" }]],
    ["an unfinished event is none", "data: x\n", []],
  ])("%s", (_, text, events) => {
    expect(decode(text)).toEqual(events);
    expect(decode(...text)).toEqual(events);
  });

  test("retry must be digits", () => {
    const decoder = new SseDecoder();
    decoder.push("retry: 5s\n\n");
    expect(decoder.retryMs).toBeUndefined();
    decoder.push(encodeSseRetry(250));
    expect(decoder.retryMs).toBe(250);
  });

  test("an id without data counts for resuming", () => {
    const decoder = new SseDecoder();
    decoder.push("id: 9\n\n");
    expect(decoder.lastEventId).toBe("9");
  });
});

const line = fc.string({ unit: "grapheme" }).filter((text) => !/[\r\n\0]/.test(text));

test("what is encoded is decoded, however it is cut", () => {
  const event = fc.record({
    event: fc.option(
      line.filter((name) => name !== ""),
      { nil: undefined },
    ),
    id: line,
    data: fc.string({ unit: "grapheme" }).map((text) => text.replace(/\r\n?/g, "\n")),
  });
  const ending = fc.constantFrom("\n", "\r", "\r\n");
  fc.assert(
    fc.property(fc.array(event), ending, fc.array(fc.nat()), (events, eol, cuts) => {
      const text = events
        .map((fields) => encodeSseComment("x") + encodeSse(fields))
        .join("")
        .replaceAll("\n", eol);
      const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
      const pieces = [...at, text.length].map((end, i) => text.slice(at[i - 1] ?? 0, end));
      const expected = events.map(({ event: name, id, data }) => ({ event: name ?? "message", id, data }));
      expect(decode(...pieces)).toEqual(expected);
    }),
  );
});

test("a stream of bytes is cancelled when the loop over it ends", async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode("data: é\n\n"));
    },
    cancel() {
      cancelled = true;
    },
  });
  for await (const event of decodeSseStream(body)) {
    expect(event.data).toBe("é");
    break;
  }
  expect(cancelled).toBe(true);
});
