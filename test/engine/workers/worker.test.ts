/** A worker as the main thread sees it: what goes wrong with one part's messages is that part's. */
import { afterEach, expect, it } from "vitest";
import { schemaOf } from "../../../src/batch/schema.ts";
import { int8 } from "../../../src/batch/types.ts";
import type { PartSpec } from "../../../src/dataflow/parts/part-circuit.ts";
import type { Reply } from "../../../src/engine/workers/protocol.ts";
import { Worker } from "../../../src/engine/workers/worker.ts";
import * as build from "../../../src/plan/build.ts";

const workers: Worker[] = [];

afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.terminate();
});

function start(onEnded: () => void = () => {}): Worker {
  const worker = new Worker(onEnded);
  workers.push(worker);
  return worker;
}

const schema = schemaOf([{ name: "k", type: int8, nullable: false }]);
const source = { id: 7, name: "s", schema, reads: [0], keys: null };

function spec(): PartSpec {
  const plan = build.distinct(
    build.source({ kind: "stream", id: 7, name: "s", schema, key: null, appendOnly: true }),
  );
  return {
    plan,
    sources: [source],
    keysMove: false,
    shard: { index: 0, count: 1 },
    limits: {},
    isLive: true,
  };
}

it("fails the part whose message cannot be sent; the replies of others stay theirs", async () => {
  const worker = start();
  const told: [number, Reply][] = [];
  const take = (part: number) => (reply: Reply) => told.push([part, reply]);
  worker.keep(1, spec(), take(1));
  worker.keep(2, spec(), take(2));
  const unsendable = [{ sourceId: 7, columns: [0], parcels: [(() => {}) as never] }];
  worker.send({ kind: "finish", part: 1, rows: [] });
  worker.send({ kind: "feed", part: 1, rows: unsendable });
  worker.send({ kind: "finish", part: 2, rows: [] });
  await expect.poll(() => told.filter(([, { kind }]) => kind === "answer").length).toBe(2);
  expect(told.filter(([, { kind }]) => kind === "failed").map(([part]) => part)).toEqual([1]);
  worker.send({ kind: "feed", part: 2, rows: [] });
  await expect.poll(() => told.at(-1)?.[1].kind).toMatch(/fed|operators/);
});

it("that has ended fails its parts, and those that come", async () => {
  let ended = 0;
  const worker = start(() => ended++);
  const told: string[] = [];
  worker.keep(1, spec(), ({ kind }) => told.push(kind));
  await worker.terminate();
  await expect.poll(() => ended).toBe(1);
  expect(told).toEqual(["failed"]);
  worker.keep(2, spec(), ({ kind }) => told.push(kind));
  worker.send({ kind: "finish", part: 2, rows: [] });
  expect(told).toEqual(["failed", "failed"]);
  expect(ended).toBe(1);
});
