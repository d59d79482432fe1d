/**
 * History for the parts of a build that other threads keep: read by all threads, side by side.
 *
 * 1. Sealed segments come in pieces (Log.history). A piece is read by a worker with time for it, and where none has, by this thread: whoever has
 *    least to do reads most. So with one worker, that has all the work of the view, this thread reads nearly all, and with many it reads as much as
 *    any of them.
 * 2. Whoever reads a piece unpacks the columns that are wanted into memory that all threads see, and lists which rows are which shard's.
 * 3. Pieces go to the parts in their order, whichever is read first: rows of a topic come in theirs. This thread says where they lie, and does not
 *    look at them.
 * 4. What is not sealed is read here, in its place.
 *
 * Few pieces are under way, and parts make whoever feeds them wait: so memory is bounded. A file is open until what reads it has answered, or its
 * thread has ended.
 */
import type { WantedOfHistory } from "../../dataflow/parts/feed-parts.ts";
import type { SharedRows } from "../../dataflow/parts/shared-rows.ts";
import type { Build } from "../../dataflow/view-build.ts";
import type { ColumnRange, HistoryPiece, Log, Pause, Position } from "../../log/log.ts";
import { bytesToRead, type ReadTask, readHistory } from "../workers/read-history.ts";
import type { Workers } from "../workers/workers.ts";

/** Pieces under way beyond one for each thread. */
const AHEAD = 2;

export interface HistoryFeedContext {
  readonly log: Log;
  readonly workers: Workers;
  /** What is read of each topic. */
  readonly topics: ReadonlyMap<number, WantedOfHistory>;
  /** Where the log has columns that stand in these places by now; null: not all of them are there any more. */
  columnsAt(topicId: number, places: readonly number[]): readonly number[] | null;
  ranges(topicId: number): readonly ColumnRange[];
  readonly pause: Pause;
  /** Works on what was fed. */
  work(): Promise<void>;
  /** Reads and feeds what lies between these positions. */
  readHere(from: Position, to: Position): Promise<void>;
  /** Resolves with the promise. @throws where the build is given up */
  wait(news: Promise<unknown>): Promise<void>;
  onProgress(position: Position): void;
}

/** A piece on its way. */
interface Reading {
  readonly part: HistoryPiece;
  state: Unread | UnderWay | Ended;
}

interface Unread {
  readonly kind: "unread";
}

interface UnderWay {
  readonly kind: "under way";
  /** Resolves when it is not any more, whatever has come of it. */
  readonly end: Promise<void>;
}

type Ended =
  | { readonly kind: "read"; readonly rows: SharedRows }
  | { readonly kind: "failed"; readonly error: unknown };

const UNREAD: Unread = { kind: "unread" };

type Queued = Reading | { readonly from: Position; readonly to: Position };

export async function feedHistory(
  context: HistoryFeedContext,
  build: Build,
  [from, to]: readonly [Position, Position],
): Promise<void> {
  const { log, topics, workers } = context;
  const columns = new Map(
    [...topics].map(([id, wanted]) => [id, () => context.columnsAt(id, wanted.columns)]),
  );
  const parts = log.history({ from, to, columns, ranges: (id) => context.ranges(id) });
  const queue: Queued[] = [];
  let isOver = false;
  try {
    for (;;) {
      while (!isOver && queue.length < workers.count + AHEAD) {
        const { value } = await parts.next();
        if (value === undefined) isOver = true;
        else if (value.kind === "groups") queue.push(value);
        else queue.push({ part: value, state: UNREAD });
      }
      handOut(context, queue);
      const [head] = queue;
      if (head === undefined) return;
      if (build.failed !== null) throw build.failed;
      if (!("part" in head)) {
        queue.shift();
        await context.readHere(head.from, head.to);
        continue;
      }
      const { part, state } = head;
      if (state.kind === "failed") throw state.error;
      if (state.kind === "read") {
        queue.shift();
        const { topicId } = part.piece;
        build.feedHistory(topicId, topics.get(topicId)!, state.rows);
        await context.work();
        context.onProgress(part.lastPosition);
        continue;
      }
      const next = queue.find(isUnread);
      if (next !== undefined) await readHere(context, next);
      else await context.wait(Promise.race(queue.flatMap(endOf)));
    }
  } finally {
    await parts.return();
    for (const each of queue) if ("part" in each) giveUp(context, each);
  }
}

function isUnread(each: Queued): each is Reading {
  return "part" in each && each.state.kind === "unread";
}

function endOf(each: Queued): Promise<void>[] {
  return "part" in each && each.state.kind === "under way" ? [each.state.end] : [];
}

function handOut(context: HistoryFeedContext, queue: readonly Queued[]): void {
  for (const each of queue) {
    if (!isUnread(each)) continue;
    const worker = context.workers.reader();
    if (worker === null) return;
    const task = taskOf(context, each.part);
    const end = worker.read(task).then(
      (rows) => {
        // The thread has ended, and may have left anything in that memory: somebody else reads the piece, into another.
        if (rows === null) each.state = UNREAD;
        else arrived(context, each, task, rows);
      },
      (error: unknown) => failed(context, each, task, error),
    );
    each.state = { kind: "under way", end };
  }
}

async function readHere(context: HistoryFeedContext, reading: Reading): Promise<void> {
  const task = taskOf(context, reading.part);
  try {
    arrived(context, reading, task, await readHistory(task, context.pause));
  } catch (error) {
    failed(context, reading, task, error);
  }
}

function taskOf({ topics, workers }: HistoryFeedContext, { piece, file }: HistoryPiece): ReadTask {
  const { keys, shared } = topics.get(piece.topicId)!;
  const memory = [shared.take(bytesToRead(piece, keys.length))];
  return { piece, file, keys, shards: workers.count, memory };
}

function arrived(
  { topics }: HistoryFeedContext,
  reading: Reading,
  { piece, memory }: ReadTask,
  rows: SharedRows,
): void {
  const { shared } = topics.get(piece.topicId)!;
  const more = rows.memory.slice(memory.length);
  for (const made of more) shared.adopt(made);
  // What crosses threads comes back under another name.
  reading.state = { kind: "read", rows: { ...rows, memory: [...memory, ...more] } };
  reading.part.release();
}

function failed(
  { topics }: HistoryFeedContext,
  reading: Reading,
  { piece, memory }: ReadTask,
  error: unknown,
): void {
  reading.state = { kind: "failed", error };
  const { shared } = topics.get(piece.topicId)!;
  for (const each of memory) shared.release(each);
  reading.part.release();
}

/** Nobody will feed it. */
function giveUp(context: HistoryFeedContext, reading: Reading): void {
  const { part, state } = reading;
  switch (state.kind) {
    case "unread":
      part.release();
      return;
    case "under way":
      void state.end.then(() => giveUp(context, reading));
      return;
    case "read": {
      const { shared } = context.topics.get(part.piece.topicId)!;
      for (const each of state.rows.memory) shared.release(each);
      return;
    }
    case "failed":
  }
}
