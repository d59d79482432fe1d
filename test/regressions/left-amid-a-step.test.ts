/**
 * An operator that leaves amid a step, because its build is given up, kept what it held elsewhere: it was told to let go where it failed, and not where it left. Rows
 * that an inlet had yet to send to its part were held for good, so the memory of their parcels was never used again.
 */
import { expect, it } from "vitest";
import { schemaOf } from "../../src/batch/schema.ts";
import { int4 } from "../../src/batch/types.ts";
import type { Host } from "../../src/dataflow/node.ts";
import { Inlet } from "../../src/dataflow/parts/inlet.ts";
import type { PartLink } from "../../src/dataflow/parts/link.ts";
import { SharedParcels } from "../../src/dataflow/parts/shared-parcels.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import type { Store } from "../../src/state/store.ts";

it("an inlet that leaves holds no rows that it has not sent, and its part ends", () => {
  const shared = new SharedParcels();
  let drops = 0;
  const link: Partial<PartLink> = {
    place: "a worker",
    sources: [],
    shared,
    drop: () => {
      drops++;
    },
  };
  const schema = schemaOf([{ name: "a", type: int4, nullable: false }]);
  const inlet = new Inlet("inlet", schema, link as PartLink, [], [], new Dictionary());
  const buried: Store[] = [];
  inlet.host = { bury: (store: Store) => void buried.push(store) } as unknown as Host;
  const parcel = shared.take(5_000);
  inlet.feedAhead({ sourceId: 1, columns: [0], parcels: [parcel] }, 1);
  shared.release(parcel);
  // It is the inlet's now.
  expect(shared.take(5_000).buffer).not.toBe(parcel.buffer);
  inlet.dispose();
  expect(shared.take(5_000).buffer).toBe(parcel.buffer);
  expect(drops).toBeGreaterThan(0);
  expect(buried).toEqual(inlet.allStores);
});
