/** The thread that rewrites segments as it is asked to: see segment-thread.ts. What is asked for meanwhile takes turns with what is under way. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { joinPath } from "../../base/disk.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import { nodeDisk } from "../../base/node-disk.ts";
import { KeyWork } from "../keeping/key-work.ts";
import { type RewriteSource, rewriteSegment } from "../sealed/rewrite.ts";
import { openSealed, type SealedSegment } from "../sealed/sealed-segment.ts";
import { sealedName } from "../segment.ts";
import { TopicRegistry } from "../topics.ts";
import type { Answer, Answered, Asked, Kind, Request, SegmentFile, ThreadData } from "./requests.ts";

assert(parentPort !== null, "a thread that rewrites segments is started by a log");
const port = parentPort;
const { directory, logId, stop } = workerData as ThreadData;
const isStopped = new Int32Array(stop);
const registry = new TopicRegistry();
const source: RewriteSource = {
  disk: nodeDisk,
  directory,
  registry,
  logId,
  checkStopped: () => {
    if (Atomics.load(isStopped, 0) !== 0) throw new EvertError("shutting_down", "the log is being closed");
  },
  // It takes nobody's turn of the event loop.
  leaveRoom: () => null,
};
const passes = new Map<number, KeyWork>();

port.on("message", async (request: Request) => {
  if (request.kind === "passEnded") {
    passes.delete(request.pass);
    return;
  }
  const { id, topics, work } = request;
  for (const topic of topics) registry.register(topic);
  let answer: Answer;
  try {
    answer = { kind: "done", id, result: await done(work) };
  } catch (thrown) {
    answer = { kind: "failed", id, error: toEvertError(thrown).toJSON() };
  }
  port.postMessage(answer);
});

async function done(work: Asked[Kind]): Promise<Answered[Kind]> {
  switch (work.kind) {
    case "seal":
      return (await rewriteSegment(source, work.extent)).segment;
    case "compare":
      return keyWork(work).compare(await opened(work.segment), work.topics);
    case "takeOut":
      return keyWork(work).takeOut(await opened(work.segment), work.wish);
  }
}

function keyWork({ pass, seed }: Asked["compare"] | Asked["takeOut"]): KeyWork {
  let work = passes.get(pass);
  if (work === undefined) passes.set(pass, (work = new KeyWork(source, seed)));
  return work;
}

function opened({ firstPosition, generation }: SegmentFile): Promise<SealedSegment> {
  const path = joinPath(directory, sealedName(firstPosition, generation));
  return openSealed(nodeDisk, path, firstPosition, generation);
}
