/**
 * Each heartbeat of a silent stream left something behind at the promise of its next event, which stays as long as nothing happens: ten thousand subscribers of a view that
 * rests came to gigabytes in a day.
 */
import { expect, it } from "vitest";
import { pacedBody } from "../../src/servers/http/paced-body.ts";

it("waits for the next event once, however many heartbeats there are before it", async () => {
  let waits = 0;
  let say: (text: string) => void = () => {};
  const next = new Promise<IteratorResult<string>>((resolve) => {
    say = (value) => resolve({ done: false, value });
  });
  const { then } = next;
  // biome-ignore lint/suspicious/noThenProperty: it is a promise, whose users are counted.
  next.then = ((...given: Parameters<typeof then>) => {
    waits++;
    return then.apply(next, given);
  }) as typeof then;
  const source = { [Symbol.asyncIterator]: () => ({ next: () => next }) };
  const reader = pacedBody(source, { heartbeat: { text: "~", everyMs: 1 } }).getReader();
  const read = async () => new TextDecoder().decode((await reader.read()).value);
  const before = waits;
  expect(await read()).toBe("~");
  const first = waits - before;
  for (let i = 0; i < 50; i++) expect(await read()).toBe("~");
  expect(waits - before).toBe(first);
  say("a");
  expect(await read()).toBe("a");
  await reader.cancel();
});
