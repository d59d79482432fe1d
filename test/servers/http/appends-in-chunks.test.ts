/** Appends of `atomic=false`, and those to topics that look at records one by one: what came before the first bad record is stored. */
import { beforeEach, describe, expect, test } from "vitest";
import { EvertError } from "../../../src/base/errors.ts";
import { until } from "./harness.ts";
import { h, records, song, stored } from "./records.ts";

describe("a topic that looks at its records one by one", () => {
  beforeEach(() => h.engine.checked.add("songs"));

  test("takes them as values, and names what it refuses alike", async () => {
    expect(await h.ndjson(records, song(1) + song(2))).toMatchObject({ status: 200, body: { count: 2 } });
    const bad = await h.ndjson(records, `${song(3)}\n{"id":"x","name":"b"}\n`);
    expect(bad.text).toMatch(/"message":"line 3: id: /);
    expect((await h.post(records, [{ id: 4, name: "a" }, { id: 5 }])).text).toMatch(
      /"message":"records\[1\]\.name: /,
    );
    expect(await stored()).toHaveLength(2);
  });

  test("in chunks: everything before the first bad record is committed, nothing from it on", async () => {
    const lines = [song(1), song(2), '{"id":"no","name":"x"}\n', song(4)];
    expect(await h.ndjson(`${records}?atomic=false`, lines.join(""))).toMatchObject({
      status: 400,
      body: {
        error: { message: expect.stringMatching(/^line 3: id: /) },
        committed: { count: 2, firstOffset: 0, lastOffset: 1, commits: 1, position: "1" },
      },
    });
    expect((await stored()).map((record) => record["key"])).toEqual([1, 2]);
  });
});

describe("atomic=false", () => {
  const chunked = `${records}?atomic=false`;

  test("takes more than the limit and commits in chunks", async () => {
    const body = Array.from({ length: 10_000 }, (_, i) => song(i)).join("");
    expect(await h.ndjson(chunked, body)).toMatchObject({
      status: 200,
      body: { count: 10_000, firstOffset: 0, lastOffset: 9999, position: String(h.engine.appends.length) },
    });
    expect(h.engine.appends.length).toBeGreaterThan(1);
    expect(Math.max(...h.engine.appends)).toBeLessThanOrEqual(4096);
  });

  test("commits what has come when the body falls silent", async () => {
    let controller: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start(c) {
        controller = c;
      },
    });
    const answer = h.ndjson(chunked, body);
    controller!.enqueue(new TextEncoder().encode(song(1)));
    await until(() => h.engine.position === "1");
    controller!.enqueue(new TextEncoder().encode(song(2)));
    await until(() => h.engine.position === "2");
    controller!.close();
    expect(await answer).toMatchObject({ status: 200, body: { count: 2, commits: 2, position: "2" } });
  });

  test("everything before the first bad record is committed, nothing from it on", async () => {
    const lines = [song(1), song(2), '{"id":"no","name":"x"}\n', song(4)];
    expect(await h.ndjson(chunked, lines.join(""))).toMatchObject({
      status: 400,
      body: {
        error: { message: expect.stringMatching(/^line 3: id: /) },
        committed: { count: 2, firstOffset: 0, lastOffset: 1, commits: 1, position: "1" },
      },
    });
    expect((await stored()).map((record) => record["key"])).toEqual([1, 2]);
  });

  test("also when the line is no JSON or no UTF-8", async () => {
    expect(await h.ndjson(chunked, `${song(1)}nonsense\n${song(2)}`)).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(/^line 2: /) }, committed: { count: 1 } },
    });
    const bytes = new Uint8Array([...new TextEncoder().encode(song(2)), 0xff, 0x0a]);
    expect(await h.ndjson(chunked, bytes)).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(/^line 2: /) }, committed: { count: 1 } },
    });
  });

  test("a bad first record commits nothing", async () => {
    expect(await h.ndjson(chunked, "1\n")).toMatchObject({
      status: 400,
      body: { committed: { count: 0, position: null, firstOffset: null, lastOffset: null, commits: 0 } },
    });
  });

  test("a JSON array is streamed as well; an empty body is fine", async () => {
    expect(
      await h.post(chunked, [
        { id: 1, name: "a" },
        { id: 2, name: "b" },
      ]),
    ).toMatchObject({
      status: 200,
      body: { count: 2 },
    });
    expect(await h.ndjson(chunked, "")).toMatchObject({ status: 200, body: { count: 0, position: null } });
  });

  test("a disk that fails on the way ends it with the error and how far it came", async () => {
    h.engine.failAfter = { appends: 1, error: new EvertError("disk_full", "no space left") };
    const body = Array.from({ length: 9000 }, (_, i) => song(i)).join("");
    expect(await h.ndjson(chunked, body)).toMatchObject({
      status: 503,
      body: { error: { code: "disk_full" }, committed: { commits: 1, count: h.engine.appends[0] } },
    });
  });

  test("a slow disk slows the reading of the body", async () => {
    let open = () => {};
    h.engine.gate = new Promise((resolve) => {
      open = resolve;
    });
    const piece = new TextEncoder().encode(song(1).repeat(2000));
    let asked = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (asked++ < 150) controller.enqueue(piece);
          else controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const answer = h.ndjson("/v1/topics/plays/records?atomic=false", body);
    await until(() => h.engine.appends.length === 1);
    // What is on the way (two chunks here, socket buffers) is bounded; the rest of the 8 MB is not asked for.
    let before = -1;
    while (before !== asked) {
      before = asked;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(asked).toBeLessThan(140);
    open();
    expect(await answer).toMatchObject({ status: 200, body: { count: 300_000 } });
  });
});
