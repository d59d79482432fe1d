/**
 * State of eight times the memory limit: a keyed table (int8 key, two int4, a text of 20 bytes: state/accounts.ts) beside a view that counts it by branch.
 *
 * The table gets as many rows as would take eight times the limit in memory (at 54 bytes a row), and then
 *
 * - changes to keys by Zipf's law (exponent 0.99, the frequent ones scattered over all keys), as fast as they are taken, in commits of 1,000, of which up to
 *   five are under way: changes a second from the first append until the last is in every view;
 * - meanwhile, and again while changes come at half of the goal's pace, a hundred times a second a row is read by its key, also by Zipf's law, through
 *   SQL: the time from when it should have been asked for to its answer. Reads come at random moments, and the clock that says so, like that of the changes, has a
 *   thread of its own (state/pace.ts); how late it was itself is told. At full load every read stands behind the changes that came before it;
 * - the state counted by the engine, at most, beside the limit, and what the process takes in all (code, heap, buffers, log);
 * - a start after a kill: from open() to the first answer.
 *
 * `--views`: the view has a group, and a row, for each row of the table; it is the view that is read. All three take eight times the limit together.
 *
 * `--joined`: the table is joined with one of twice as many rows, by its key, and what both give is summed by branch. Payments that are loaded meet accounts by
 * their key; accounts that come later, or change, meet their payments. Both tables take eight times the limit together.
 *
 * Beside it the same with a limit that all rows fit in, in the same run.
 *
 *   node --conditions=evert-source bench/cold.ts [--limit-mib 32] [--seconds 15] [--views | --joined]
 */

import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { withDirectory } from "./directory.ts";
import { type Measured, present } from "./report.ts";
import type { ColdReport, ReopenReport } from "./state/cold-process.ts";

const { values: flags } = parseArgs({
  options: {
    "limit-mib": { type: "string", default: "32" },
    seconds: { type: "string", default: "15" },
    views: { type: "boolean", default: false },
    joined: { type: "boolean", default: false },
  },
});

const made = flags.joined ? "joined" : flags.views ? "views" : "table";

async function measure(): Promise<Measured[]> {
  const warm = await withDirectory((dir) => told<ColdReport>(dir, "warm"));
  return withDirectory(async (dir) => {
    const peer = "all in memory";
    const run = await told<ColdReport>(dir, "run");
    const again = await told<ReopenReport>(dir, "open");
    return [
      { name: "rows", unit: "rows", value: run.rows },
      { name: "in memory they would take", unit: "times the limit", value: run.wouldTake, least: 7.9 },
      { name: "loading", unit: "rows/s", value: run.loadedPerSecond, peer, peerValue: warm.loadedPerSecond },
      {
        name: "changes by Zipf's law",
        unit: "changes/s",
        value: run.changesPerSecond,
        ...(made === "table" ? { least: 100_000 } : {}),
        peer,
        peerValue: warm.changesPerSecond,
      },
      { name: "of them, keys that were on disk", unit: "of 1", value: run.missed },
      {
        name: "reads by key meanwhile, p50",
        unit: "ms",
        value: run.busy.p50,
        peer,
        peerValue: warm.busy.p50,
      },
      { name: "p99", unit: "ms", value: run.busy.p99, peer, peerValue: warm.busy.p99 },
      {
        name: `reads by key at ${run.pace.toLocaleString("en")} changes/s, p50`,
        unit: "ms",
        value: run.paced.p50,
        peer,
        peerValue: warm.paced.p50,
      },
      { name: "p99", unit: "ms", value: run.paced.p99, most: 5, peer, peerValue: warm.paced.p99 },
      { name: "how late the clock of the reads was, p99", unit: "ms", value: run.paced.late },
      { name: "state in memory, at most", unit: "of the limit", value: run.stateMost, most: 1.1 },
      {
        name: "memory of the process, at most",
        unit: "MB",
        value: run.processMb,
        peer,
        peerValue: warm.processMb,
      },
      { name: "files of rows that are not in memory", unit: "MB", value: run.diskMb },
      { name: "start after a kill, open() to the first answer", unit: "ms", value: again.firstAnswerMs },
    ];
  });
}

/** What a process of its own tells, which is killed then. */
async function told<T>(dir: string, mode: "run" | "warm" | "open"): Promise<T> {
  const child = fork(
    join(import.meta.dirname, "state", "cold-process.ts"),
    [dir, mode, flags["limit-mib"], flags.seconds, made],
    { execArgv: ["--conditions=evert-source"] },
  );
  const exited = once(child, "exit");
  const first = await Promise.race([once(child, "message"), exited.then(() => null)]);
  if (first === null) throw new Error("bench/state/cold-process.ts failed");
  child.kill("SIGKILL");
  await exited;
  return first[0] as T;
}

await present(measure);
