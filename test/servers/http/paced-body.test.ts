/** A message in pieces is written piece by piece, and nothing comes between them. */
import { expect, it } from "vitest";
import { pacedBody } from "../../../src/servers/http/paced-body.ts";

async function* messages(
  given: readonly (string | readonly string[])[],
): AsyncGenerator<string | readonly string[]> {
  yield* given;
}

const decoder = new TextDecoder();

it("hands on one piece at a time", async () => {
  const reader = pacedBody(messages(["a", ["b", "c"], "d"])).getReader();
  const pieces: string[] = [];
  for (let item = await reader.read(); !item.done; item = await reader.read())
    pieces.push(decoder.decode(item.value));
  expect(pieces).toEqual(["a", "b", "c", "d"]);
});

it("ends a message before it says goodbye", async () => {
  const closing = new AbortController();
  const reader = pacedBody(messages(["a", ["b", "c", "d"], "e"]), {
    closing: closing.signal,
    farewell: () => "!",
  }).getReader();
  const read = async () => decoder.decode((await reader.read()).value);
  expect([await read(), await read()]).toEqual(["a", "b"]);
  closing.abort();
  expect([await read(), await read(), await read()]).toEqual(["c", "d", "!"]);
  expect((await reader.read()).done).toBe(true);
});

it("ends a message before a heartbeat", async () => {
  const silent = (async function* (): AsyncGenerator<string | readonly string[]> {
    yield ["a", "b"];
    await new Promise(() => {});
  })();
  const reader = pacedBody(silent, { heartbeat: { text: "~", everyMs: 1 } }).getReader();
  const read = async () => decoder.decode((await reader.read()).value);
  expect([await read(), await read(), await read()]).toEqual(["a", "b", "~"]);
  await reader.cancel();
});
