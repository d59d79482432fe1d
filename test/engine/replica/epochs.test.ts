/** What two copies of a log are to each other, against two logs that were really written. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Copy, type Epoch, epochsFrom, relationOf } from "../../../src/engine/replica/epochs.ts";

const epoch = (n: number, begins: number, id = n * 10): Epoch => ({ epoch: n, id, begins });
const copy = (end: number, ...epochs: Epoch[]): Copy => ({ epochs, end });

describe("relationOf", () => {
  it.each<[string, Copy, Copy, object]>([
    ["nothing yet", copy(0), copy(0), { kind: "follows" }],
    ["behind", copy(9), copy(5), { kind: "follows" }],
    ["ahead of its leader", copy(5), copy(9), { kind: "diverged", after: 5 }],
    ["not yet of the new epoch", copy(9, epoch(1, 7)), copy(6), { kind: "follows" }],
    ["commits of its own", copy(9, epoch(1, 7)), copy(7), { kind: "diverged", after: 6 }],
    ["a leader that is no more", copy(20), copy(7, epoch(1, 7)), { kind: "superseded", by: epoch(1, 7) }],
    [
      "two promoted at once",
      copy(9, epoch(1, 7, 1)),
      copy(9, epoch(1, 5, 2)),
      { kind: "diverged", after: 4 },
    ],
    [
      "promoted twice elsewhere",
      copy(9, epoch(1, 7, 1)),
      copy(9, epoch(1, 5, 2), epoch(2, 8, 3)),
      { kind: "superseded", by: epoch(2, 8, 3) },
    ],
  ])("%s", (_, leader, follower, relation) => {
    expect(relationOf(leader, follower)).toEqual(relation);
  });

  /** A commit is a number nobody else has; an epoch is its first commit. */
  interface Written {
    readonly commits: { readonly id: number; readonly epoch: Epoch | null }[];
  }
  const asCopy = ({ commits }: Written): Copy => ({
    epochs: commits.flatMap((c) => (c.epoch === null ? [] : [c.epoch])),
    end: commits.length,
  });

  it("is what the commits themselves say", () => {
    const action = fc.record({
      of: fc.nat(2),
      kind: fc.constantFrom("append", "append", "copy", "promote"),
      to: fc.nat(2),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const logs: Written[] = [{ commits: [] }, { commits: [] }, { commits: [] }];
        const leads = [true, false, false];
        let ids = 0;
        for (const { of, kind, to } of actions) {
          const log = logs[of]!;
          const last = asCopy(log).epochs.at(-1)?.epoch ?? 0;
          const begins = log.commits.length + 1;
          if (kind === "append" && leads[of] === true) log.commits.push({ id: ++ids, epoch: null });
          else if (kind === "promote" && leads[of] === false) {
            const id = ++ids;
            log.commits.push({ id, epoch: { epoch: last + 1, id, begins } });
            leads[of] = true;
          } else if (kind === "copy" && leads[to] === false && of !== to) {
            const other = logs[to]!;
            const isPrefix = other.commits.every((c, i) => c.id === log.commits[i]?.id);
            if (isPrefix) logs[to] = { commits: [...log.commits] };
          }
        }
        for (const leader of logs) {
          for (const follower of logs) {
            const relation = relationOf(asCopy(leader), asCopy(follower));
            const common = leader.commits.findIndex((c, i) => c.id !== follower.commits[i]?.id);
            const after = common < 0 ? leader.commits.length : common;
            const follows = after === follower.commits.length;
            // Whoever follows has nothing of its own; whoever has is told, or it is the other that has to step back.
            if (relation.kind === "follows") expect(follows).toBe(true);
            if (relation.kind === "diverged") expect(relation.after).toBe(after);
            if (follows) expect(relation.kind).toBe("follows");
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

it("reads epochs that came over a wire, and nothing else", () => {
  expect(epochsFrom([epoch(1, 2)])).toEqual([epoch(1, 2)]);
  for (const wrong of [
    null,
    {},
    [null],
    [{ epoch: 1 }],
    [{ epoch: 1, id: 1, begins: "2" }],
    [{ epoch: 0, id: 1, begins: 1 }],
  ])
    expect(epochsFrom(wrong)).toBeNull();
});
