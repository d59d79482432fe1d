/** The oracle of the simulation (simulation/oracle.ts) where what it is to judge is not one log, or does not say whose it is. */
import { expect, test } from "vitest";
import type { Commit, Written } from "./simulation/commits.ts";
import { Oracle } from "./simulation/oracle.ts";

const DELETE: Written = { topic: "item", key: "item 0", value: null };

function commit(position: number, said: Partial<Commit>): Commit {
  const records = said.records ?? [];
  const plain = { timeUs: position, idempotencyKey: null, requestDigest: null, segment: 1, own: "" };
  return { position, ...plain, events: [], ...said, records };
}

const deletes = (position: number, offset: number): Commit =>
  commit(position, { records: [{ ...DELETE, offset, topicId: null }] });

test("a delete that had been read before another began is not the other's", () => {
  const oracle = new Oracle();
  const event = { op: 1, part: 0, w: 0, note: null };
  // Nobody was told whether it is stored; behind an event it would have deleted nothing.
  oracle.begin("append", null, () => () => [{ topic: "ev", key: null, value: event }]);
  oracle.begin(
    "delete",
    null,
    () =>
      ({ ev }) =>
        ev.length === 0 ? [DELETE] : [],
  );
  const appended = commit(2, {
    records: [{ topic: "ev", key: null, value: event, offset: 0, topicId: null }],
  });
  const read = [deletes(1, 0), appended];
  oracle.adopt(read);
  const erase = oracle.begin("erase", null, () => () => [DELETE]);
  erase.doneBy = 3;
  oracle.reached(3);
  oracle.adopt([...read, deletes(3, 1)]);
  expect(() => oracle.adopt([...read, deletes(3, 1), deletes(4, 2)])).toThrow("deleted at 4");
});

test("a delete behind what an attempt was said to be stored by is not that attempt's", () => {
  const oracle = new Oracle();
  const erase = oracle.begin("erase", null, () => () => [DELETE]);
  erase.doneBy = 1;
  expect(() => oracle.adopt([commit(1, {}), deletes(2, 0)])).toThrow("deleted at 2");
});

test("where two histories part nothing is asked of the one that the other has told of", () => {
  const lead = (epoch: number): Partial<Commit> => ({
    events: [{ event: "lead", epoch: { epoch, id: epoch, begins: 2 } }],
  });
  const read = [commit(1, lead(1)), commit(2, lead(2)), commit(3, {})];
  const { forgetting } = new Oracle();
  expect(forgetting.ofAll(read)).toEqual(read);
  forgetting.parting(2);
  expect(forgetting.ofAll(read)).toEqual(read.slice(0, 1));
  // The former leader knows of no such epoch.
  expect(forgetting.ofAll(read.slice(0, 1))).toEqual(read.slice(0, 1));
  forgetting.partedAfter(1);
  expect(forgetting.ofAll(read)).toEqual(read);
});

test("what came twice under its key, a day apart, may go with its topic before it is read again", () => {
  const oracle = new Oracle();
  const row: Written = { topic: "brief", key: null, value: { op: 1, part: 0 } };
  const attempt = oracle.begin("write", "key", () => () => [row]);
  const stored = commit(1, {
    idempotencyKey: undefined,
    records: [{ ...row, offset: 0, topicId: 12 }],
  });
  oracle.told(attempt, "1", null);
  oracle.adopt([stored]);
  oracle.told(attempt, "2", null);
  expect(() => oracle.adopt([stored, commit(2, {})])).toThrow("was told to be at 2");
  oracle.dropping(12, [attempt]);
  oracle.adopt([commit(1, { idempotencyKey: undefined }), commit(2, {})]);
});

test("a key may be forgotten a day after what it stands for was stored, which shows when that is read", () => {
  const oracle = new Oracle();
  const day = 86_400_000_000;
  const row: Written = { topic: "ev", key: null, value: { op: 1, part: 0, w: 0, note: null } };
  const attempt = oracle.begin("append", "key", () => () => [row]);
  oracle.told(attempt, "2", null);
  const read = [
    commit(1, {}),
    commit(2, { timeUs: 7, idempotencyKey: "key", records: [{ ...row, offset: 0, topicId: null }] }),
  ];
  // Where its commit is in no history that goes on nothing is known of it.
  oracle.hasForgotten(attempt, 3, 7);
  oracle.partedAfter(2);
  oracle.hasForgotten(attempt, 2, 8 + day);
  oracle.adopt(read);
  oracle.hasForgotten(attempt, 2, 7 + day);
  expect(() => oracle.adopt(read)).toThrow("was forgotten 86400000000 µs later");
});
