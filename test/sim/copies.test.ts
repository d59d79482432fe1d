/** The simulation of a leader and its copies (simulation/copies.ts): it repeats, all that it is to try does happen, and the first of its seeds hold. */
import { expect, test } from "vitest";
import { simulateCopies } from "./simulation/copies.ts";
import { judged } from "./simulation/judged.ts";

test("a seed gives the same run, turn by turn, whatever ran before", async () => {
  const seeds = [3, 14, 15];
  const traces = new Map<number, readonly string[]>();
  for (const seed of seeds) traces.set(seed, (await simulateCopies(seed)).trace);
  for (const seed of seeds.reverse()) expect((await simulateCopies(seed)).trace).toEqual(traces.get(seed));
});

/** What a few dozen seeds meet. */
const HAPPENS = [
  /2 copies, commits wait for 1/,
  /3 copies, commits wait for 0/,
  /is cut off/,
  /is alone/,
  /a wrong bit on the way/,
  /the stream of .* ends after/,
  /is promoted at/,
  /is not promoted: /,
  /was promoted$/,
  /has parted from .* after \d+/,
  /a copy of the leader's takes its place/,
  /the former leader does not take it/,
  /is refused: timeout: no replica has position/,
  /fails: the log could not be written/,
  /reports: this is not the leader any more/,
  /producer has epoch [1-9]/,
  /consumer has epoch [1-9]/,
  /count ev from .* is refused: /,
  /compacted: [1-9]/,
  /^\d+ #\d+ erase .* is done/,
  /erase .* on a copy is done, up to [1-9]/,
  /erase .* on a copy is refused: conflict/,
  /the clock of . moves by -\d+ µs/,
  /^\d+ \d+ µs pass/,
  /reports: the wall clock was set forward/,
  /reports: the wall clock was set backward/,
  /(ADD|DROP|RENAME) COLUMN .* is done/,
  /ALTER c\d+_\d+ TYPE .* is done/,
  /DROP TABLE .* is done/,
  /CREATE TABLE .* is done/,
  /CREATE MATERIALIZED VIEW .* is done/,
  /DROP MATERIALIZED VIEW .* is done/,
  /build turn@\d+ is done/,
  /promote turn@[2-9] is done/,
  /roll turn back is done/,
  /drop turn@\d+ is done/,
  /build over__\d+ is done/,
  /SELECT \* FROM turn@\d+: /,
  /the former leader has another column: done/,
  /. is at \d+, its leader at/,
  /the follower is too far behind: deletes after position \d+ are gone/,
];

judged(1, 100, simulateCopies, "--copies ", HAPPENS);
