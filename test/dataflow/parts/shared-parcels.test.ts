import { expect, it } from "vitest";
import { SharedParcels } from "../../../src/dataflow/parts/shared-parcels.ts";

it("gives memory anew when its last holder has released it, and not before", () => {
  const shared = new SharedParcels();
  const first = shared.take(5_000);
  expect(first.length).toBe(5_000);
  shared.hold(first);
  shared.release(first);
  expect(shared.take(5_000).buffer).not.toBe(first.buffer);
  shared.release(first);
  const again = shared.take(8_000);
  expect(again.buffer).toBe(first.buffer);
  expect(again.length).toBe(8_000);
  expect(() => shared.release(first)).not.toThrow();
  expect(() => shared.release(first)).toThrow();
});

it("gives memory that is large enough, of any size", () => {
  const shared = new SharedParcels();
  for (const bytes of [1, 4_095, 4_096, 4_097, 65_536, 1 << 20, (1 << 20) + 1, 0]) {
    const parcel = shared.take(bytes);
    expect(parcel.length).toBe(bytes);
    shared.release(parcel);
  }
});

it("keeps so much of it, and leaves more to the collector", () => {
  const shared = new SharedParcels();
  const parcels = Array.from({ length: 40 }, () => shared.take(1 << 20));
  const buffers = new Set(parcels.map(({ buffer }) => buffer));
  for (const parcel of parcels) shared.release(parcel);
  const known = Array.from({ length: 40 }, () => shared.take(1 << 20)).filter((p) => buffers.has(p.buffer));
  expect(known).toHaveLength(32);
});
