import { expect, test } from "vitest";
import { KNOWN_FOR_US, KnownCommits } from "../../src/log/known-commits.ts";
import type { KnownCommit } from "../../src/log/log.ts";

const commit = (position: number): KnownCommit => ({ position, requestDigest: null, ranges: [] });

test("a key is forgotten a day after its last use, not after its first", () => {
  const known = new KnownCommits();
  known.add("a", 0, commit(1));
  known.add("b", 5, commit(2));
  known.add("a", 10, commit(3));
  known.expire(KNOWN_FOR_US);
  expect(known.get("a")?.position).toBe(3);
  known.expire(KNOWN_FOR_US + 6);
  expect([known.get("a")?.position, known.get("b")]).toEqual([3, null]);
  known.expire(KNOWN_FOR_US + 11);
  expect(known.size).toBe(0);
});

test("many keys in, only a day's worth stays", () => {
  const known = new KnownCommits();
  const step = KNOWN_FOR_US / 1000;
  for (let i = 0; i < 20_000; i++) {
    known.add(`key ${i}`, i * step, commit(i));
    known.expire(i * step);
  }
  expect(known.size).toBe(1001);
  expect(known.get("key 18998")).toBeNull();
  expect(known.get("key 18999")?.position).toBe(18_999);
});
