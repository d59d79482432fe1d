/**
 * A worker: keeps parts, and works on their tasks in slices (protocol.ts).
 *
 * 1. Between two slices what has come in is heard.
 * 2. Parts of live views go first: a step of all views waits for them. They take turns.
 * 3. Parts of views that are being built have what is left of the time, and at least one part of it in five: none waits for ever.
 * 4. History is read in slices between these: a page, then whoever else has something to do.
 * 5. What steps have ended is freed when nobody waits, or when much of it is owed (KeptPart).
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { toEvertError } from "../../base/errors.ts";
import { KeptPart } from "./kept-part.ts";
import type { Read, ReadReply, Reply, Request } from "./protocol.ts";
import { readHistory } from "./read-history.ts";

const SLICE_MS = 4;
/** For so much work on live parts builds have a slice. */
const LIVE_MS = 4 * SLICE_MS;
/** Between two tellings of what operators have done. */
const TELL_MS = 100;

assert(parentPort !== null, "a worker is started by the engine");
const port = parentPort;
const parts = new Map<number, KeptPart>();
/** Those with something to do, whoever has waited longest first. */
const ready = new Set<KeptPart>();
/** Parts of which there is something to tell. */
const untold = new Set<KeptPart>();
let isTurnDue = false;
let liveMs = 0;

function post(reply: Reply): void {
  port.postMessage(reply, buffersOf(reply));
}

async function read({ read: number, task }: Read): Promise<void> {
  let ends = performance.now() + SLICE_MS;
  const pause = (): Promise<void> | null => {
    if (performance.now() < ends) return null;
    return nextTurn().then(() => {
      ends = performance.now() + SLICE_MS;
    });
  };
  let reply: ReadReply;
  try {
    reply = { kind: "read", read: number, rows: await readHistory(task, pause) };
  } catch (thrown) {
    reply = { kind: "unread", read: number, error: toEvertError(thrown).toJSON() };
  }
  port.postMessage(reply);
}

function buffersOf(reply: Reply): ArrayBuffer[] {
  const parcels = reply.kind === "answer" ? reply.phases.flat() : reply.kind === "rows" ? [reply.parcel] : [];
  return parcels.map(({ buffer }) => buffer as ArrayBuffer);
}

function next(): KeptPart | null {
  let [live, build, sweep]: (KeptPart | null)[] = [null, null, null];
  for (const part of ready) {
    const { need } = part;
    if (need === "sweep") sweep ??= part;
    else if (need === "tasks" && part.isLive) live ??= part;
    else if (need === "tasks") build ??= part;
  }
  if (build !== null && liveMs >= LIVE_MS) return build;
  return live ?? sweep ?? build ?? null;
}

function turn(): void {
  isTurnDue = false;
  const sliceEnds = performance.now() + SLICE_MS;
  for (let now = 0; now < sliceEnds; ) {
    const part = next();
    if (part === null) return;
    const { isLive } = part;
    const began = performance.now();
    ready.delete(part);
    part.work(sliceEnds);
    if (part.need !== "none") ready.add(part);
    if (part.hasNews) tellLater(part);
    now = performance.now();
    liveMs = isLive ? liveMs + (now - began) : 0;
  }
  turnSoon();
}

function turnSoon(): void {
  if (isTurnDue) return;
  isTurnDue = true;
  setImmediate(turn);
}

function tellLater(part: KeptPart): void {
  if (untold.size === 0) setTimeout(tellAll, TELL_MS);
  untold.add(part);
}

function tellAll(): void {
  for (const each of untold) each.tellOperators();
  untold.clear();
}

function hasWork(part: KeptPart): void {
  if (part.need === "none") return;
  ready.add(part);
  turnSoon();
}

port.on("message", (request: Request) => {
  if (request.kind === "read") {
    void read(request);
    return;
  }
  if (request.kind === "open") {
    parts.set(request.part, new KeptPart(request.part, request.spec, post));
    return;
  }
  const part = parts.get(request.part);
  assert(part !== undefined, "a part is asked between its opening and its end");
  switch (request.kind) {
    case "feed":
    case "finish":
      part.add(request);
      hasWork(part);
      return;
    case "taken":
      part.taken();
      hasWork(part);
      return;
    case "live":
      part.live();
      return;
    case "drop":
      parts.delete(part.id);
      ready.delete(part);
      untold.delete(part);
  }
});
