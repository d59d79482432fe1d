/** The thread that rewrites full segments, one after the other as it is asked: see thread.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import { nodeDisk } from "../../base/node-disk.ts";
import { TopicRegistry } from "../topics.ts";
import { type RewriteSource, rewriteSegment } from "./rewrite.ts";
import type { RewriteAnswer, RewriteRequest, ThreadData } from "./thread.ts";

assert(parentPort !== null, "a thread that seals is started by a log");
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

port.on("message", async ({ firstPosition, end, topics }: RewriteRequest) => {
  for (const topic of topics) registry.register(topic);
  let answer: RewriteAnswer;
  try {
    const { segment } = await rewriteSegment(source, { firstPosition, end });
    answer = { kind: "written", segment };
  } catch (thrown) {
    answer = { kind: "failed", error: toEvertError(thrown).toJSON() };
  }
  port.postMessage(answer);
});
