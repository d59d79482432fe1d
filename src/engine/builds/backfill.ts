/**
 * Filling a build from history, while steps go on.
 *
 * 0. Indexes that it needs on rows that are there are made, a slice at a time.
 * 1. At a boundary the build is begun at the current epoch: rows of tables and views it reads from their stores as of that epoch (it pins them),
 *    streams it is fed from the log up to that epoch's position.
 * 2. What happened meanwhile is one more range of epochs, shorter than the history; then the next, shorter again.
 * 3. When little is left, the last range is done while the circuit rests at a boundary, and the build joins it there.
 *
 * A plan with an as-of join asks for its inputs in log order instead; it is fed tables and streams alike from the log.
 * An ad-hoc SELECT is a build of the first kind that is read and thrown away.
 */
import { assert } from "../../base/assert.ts";
import type { Slices } from "../../base/slices.ts";
import { sliceBatch } from "../../batch/column.ts";
import type { Build, ViewNode } from "../../dataflow/circuit.ts";
import type { WantedOfHistory } from "../../dataflow/parts/feed-parts.ts";
import type { ColumnRange, Group, Log, Pause, TopicBatch } from "../../log/log.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { EngineCatalog, TopicEntry } from "../catalog/catalog.ts";
import { PART_ROWS } from "../step-work.ts";
import { SLICE_MS } from "../time-slice.ts";
import type { Workers } from "../workers/workers.ts";
import { Feeder } from "./feeder.ts";
import { feedHistory, type HistoryFeedContext } from "./history-feed.ts";

/** What the first slice may take: a small query asks for no turn. */
const FIRST_MS = 1;
/** Commits that may be left for the last range. */
const LAST_RANGE = 256;
/** How long steps wait for the last range to be durable: the first time, and after many in vain. */
const LAST_MS = 20;
const LAST_MS_MAX = 1_280;

export interface BackfillContext {
  /** Columns of a topic that the build reads. */
  wants(topicId: number, build: Build): (column: number) => boolean;
  /** The same for the log, which need not read the others; null: all of them. */
  columns(topicId: number, build: Build): ReadonlySet<number> | null;
  /** In which rows of the topic must lie to matter to the build. */
  ranges(topicId: number, build: Build): readonly ColumnRange[];
  /** Where the log has columns that stand in these places; null: not all of them are there any more. */
  columnsAt(topicId: number, places: readonly number[]): readonly number[] | null;
  /** Null: all is done in this thread. */
  readonly workers: Workers | null;
  /** The batch with the topic's columns where circuits have them. */
  placed(entry: TopicEntry, batch: TopicBatch): TopicBatch;
  readonly log: Log;
  readonly catalog: EngineCatalog;
  readonly dictionary: Dictionary;
  /** Resolves when the log is durable up to the position. */
  durable(position: number): Promise<void>;
  current(): { epoch: number; position: number; timeUs: number };
  atBoundary(run: () => void | Promise<void>): Promise<void>;
  /** Gives a turn of the event loop to work that can wait, and when it should end (performance.now()). */
  turn(): Promise<number>;
  readonly slices: Slices;
}

/**
 * Feeds history up to `to.position`, read at `to.epoch`; the caller has called nothing on the build but hold() of that epoch, if it could not begin
 * at once. Nobody holds back what it reads: where a stream's records are given up before it has come to them, and behind some that it has, it ends
 * with records_gone.
 */
export async function fillOnce(
  context: BackfillContext,
  build: Build,
  to: { epoch: number; position: number },
  signal?: AbortSignal,
  onProgress?: (fraction: number) => void,
): Promise<void> {
  // Indexes take their time: meanwhile steps go on, and what dies is freed.
  if (!build.isHeld) build.hold(to.epoch);
  await prepare(context, build, signal);
  build.begin(to.epoch, context.current().timeUs);
  await feed(context, build, 0, to.position, { signal, onProgress, unbroken: true });
  if (build.failed !== null) throw build.failed;
}

/** Fills and joins the build to the circuit. `onJoin` is called at that boundary. */
export async function fillAndJoin(
  context: BackfillContext,
  build: Build,
  onJoin: (node: ViewNode, epoch: number) => void,
  signal: AbortSignal,
  onProgress: (fraction: number) => void,
): Promise<void> {
  await prepare(context, build, signal);
  // Everybody waits for what is done at a boundary.
  const atRest: BackfillContext = { ...context, turn: () => ownTurn(context.slices) };
  let done = { epoch: 0, position: 0, timeUs: 0 };
  await context.atBoundary(() => {
    done = { ...context.current() };
    build.begin(done.epoch, done.timeUs);
  });
  await feed(context, build, 0, done.position, { signal, onProgress });
  const readsLog = build.streams.length + build.tables.length > 0;
  for (let patienceMs = LAST_MS; ; ) {
    let joined = false;
    let next = done;
    await context.atBoundary(async () => {
      // It may have been dropped since the last look: what joins now, nobody could take out again.
      signal.throwIfAborted();
      next = { ...context.current() };
      if (next.epoch > done.epoch) build.begin(next.epoch, next.timeUs);
      if (next.position - done.position > LAST_RANGE) return;
      // Replicas that commits wait for may be away: steps do not wait for these. For those that are there they wait longer each time, since there may
      // always be a commit under way.
      if (readsLog && !(await isDurable(context, next.position, patienceMs))) {
        patienceMs = Math.min(LAST_MS_MAX, 2 * patienceMs);
        return;
      }
      if (next.epoch > done.epoch) await feed(atRest, build, done.position, next.position, { signal });
      signal.throwIfAborted();
      if (build.failed !== null) throw build.failed;
      onJoin(build.finish(), next.epoch);
      build.release();
      joined = true;
    });
    if (joined) return;
    await feed(context, build, done.position, next.position, { signal });
    done = next;
  }
}

/** Whether the position is durable before so much time has passed. */
async function isDurable(context: BackfillContext, position: number, ms: number): Promise<boolean> {
  if (context.log.durablePosition >= position) return true;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([context.durable(position).then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function ownTurn(slices: Slices): Promise<number> {
  await slices.turn();
  return slices.ends(SLICE_MS);
}

/** Makes the indexes that the build needs on rows that are there, a slice at a time. */
async function prepare(context: BackfillContext, build: Build, signal?: AbortSignal): Promise<void> {
  for (let sliceEnds = 0; !build.prepare(sliceEnds); ) {
    sliceEnds = await context.turn();
    signal?.throwIfAborted();
  }
}

interface FeedOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((fraction: number) => void) | undefined;
  readonly unbroken?: boolean;
}

/** Commits after `from` up to `to`, then works until the range is complete. */
async function feed(
  context: BackfillContext,
  build: Build,
  from: number,
  to: number,
  { signal, onProgress, unbroken }: FeedOptions,
): Promise<void> {
  const wanted = new Set<number>(build.streams);
  for (const id of build.tables) wanted.add(id);
  let sliceEnds = context.slices.ends(FIRST_MS);
  const pause = async (): Promise<void> => {
    await orAborted(build.waiting, signal);
    sliceEnds = await context.turn();
    signal?.throwIfAborted();
  };
  const work = async (): Promise<void> => {
    while (!build.run(sliceEnds)) await (build.fetching ?? pause());
    // With nothing left to do, run() does not look at the clock.
    if (performance.now() >= sliceEnds) await pause();
  };
  if (wanted.size > 0 && to > from) {
    await orAborted(context.durable(to), signal);
    signal?.throwIfAborted();
    const elsewhere = readElsewhere(context, build);
    const here = new Set([...wanted].filter((id) => !elsewhere.has(id)));
    const feeding: Feeding = {
      signal,
      unbroken,
      pause: () => (performance.now() < sliceEnds ? null : pause()),
      work,
      feeders: new Map(),
      commits: 0,
    };
    const ways = Math.min(1, elsewhere.size) + Math.min(1, here.size);
    const progress = (done: number) => (position: number) =>
      onProgress?.((done + (position - from) / (to - from)) / ways);
    if (elsewhere.size > 0)
      await feedElsewhere(context, build, [from + 1, to], elsewhere, feeding, progress(0));
    if (here.size > 0) await feedHere(context, build, [from + 1, to], here, feeding, progress(ways - 1));
  }
  build.end();
  await work();
}

/** How a range is fed. */
interface Feeding {
  readonly signal: AbortSignal | undefined;
  readonly unbroken: boolean | undefined;
  readonly pause: Pause;
  /** Works on what was fed. */
  work(): Promise<void>;
  readonly feeders: Map<number, Feeder>;
  /** That the step tells apart so far. */
  commits: number;
}

/** Rows of these topics, by this thread. Positions with first and last. */
async function feedHere(
  context: BackfillContext,
  build: Build,
  [from, to]: readonly [number, number],
  topics: ReadonlySet<number>,
  feeding: Feeding,
  onRead: (position: number) => void,
): Promise<void> {
  const { signal, unbroken, pause, work, feeders } = feeding;
  const groups = context.log.read({
    from,
    to,
    topics,
    columns: (id) => context.columns(id, build),
    ranges: (id) => context.ranges(id, build),
    // Feeders copy what they feed.
    reuse: true,
    unbroken,
    pause,
  });
  for await (const group of groups) {
    signal?.throwIfAborted();
    if (build.failed !== null) throw build.failed;
    for (const given of group.batches) {
      const entry = context.catalog.byId(given.topicId);
      if (entry === undefined || entry.kind !== "topic") continue;
      const topicBatch = context.placed(entry, given);
      const { schema } = topicBatch.batch;
      let feeder = feeders.get(entry.id);
      if (feeder === undefined || feeder.schema !== schema)
        feeders.set(entry.id, (feeder = new Feeder(schema, context.dictionary)));
      const columns = context.wants(entry.id, build);
      const { length } = topicBatch.batch;
      for (let row = 0; row < length && build.cuts.length > 0; row += PART_ROWS) {
        const end = Math.min(length, row + PART_ROWS);
        build.feedParts(entry.id, sliceBatch(topicBatch.batch, row, end));
        await work();
      }
      for (let row = 0; row < topicBatch.batch.length; ) {
        const end = Math.min(topicBatch.batch.length, row + feeder.pace.rows);
        const next = feeder.fill(topicBatch, row, end, feeding.commits, columns);
        const began = performance.now();
        if (entry.topicKind === "stream") build.feedStream(entry.id, feeder.chunk);
        else build.feedTable(entry.id, feeder.chunk, topicBatch.ops, row);
        feeder.pace.took(next - row, performance.now() - began);
        await work();
        row = next;
      }
    }
    if (build.ordered) build.boundary();
    feeding.commits += commitsWithRows(group);
    onRead(group.lastPosition);
  }
}

/** Rows of these topics, by all threads. */
function feedElsewhere(
  context: BackfillContext,
  build: Build,
  range: readonly [number, number],
  topics: ReadonlyMap<number, WantedOfHistory>,
  feeding: Feeding,
  onProgress: (position: number) => void,
): Promise<void> {
  const { log, workers } = context;
  assert(workers !== null, "what is read elsewhere is read by workers");
  const { signal, pause, work } = feeding;
  const here = new Set(topics.keys());
  const feedContext: HistoryFeedContext = {
    log,
    workers,
    topics,
    columnsAt: (id, places) => context.columnsAt(id, places),
    ranges: (id) => context.ranges(id, build),
    pause,
    work,
    readHere: (from, to) => feedHere(context, build, [from, to], here, feeding, onProgress),
    wait: async (news) => {
      await orAborted(news, signal);
      signal?.throwIfAborted();
    },
    onProgress,
  };
  return feedHistory(feedContext, build, range);
}

/** Streams of which nobody in this thread needs a row. */
function readElsewhere(context: BackfillContext, build: Build): Map<number, WantedOfHistory> {
  const topics = new Map<number, WantedOfHistory>();
  for (const id of build.streams) {
    const wanted = context.workers === null ? null : build.historyWanted(id);
    if (wanted !== null && context.columnsAt(id, wanted.columns) !== null) topics.set(id, wanted);
  }
  return topics;
}

/** Resolves when the promise does, or the signal is given. */
function orAborted(wait: Promise<unknown> | null, signal?: AbortSignal): Promise<unknown> | null {
  if (wait === null || signal === undefined) return wait;
  return new Promise<void>((resolve, reject) => {
    const done = (): void => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
    wait.then(done, reject);
  });
}

/** How many of the group's commits the step must tell apart. (Its list of commits may not have been made yet, and need not be.) */
function commitsWithRows({ batches }: Group): number {
  return batches.reduce((most, { commitIndexes }) => Math.max(most, (commitIndexes.at(-1) ?? -1) + 1), 0);
}
