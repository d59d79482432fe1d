/** What befalls the disk in one life, drawn from the seed. */

import type { DiskFault } from "../../../src/testing/disk-faults.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";

export interface Plan {
  /** After so many changes the machine stops; 0: it does not. */
  readonly crashAfter: number;
  /** Only changes of these files, or of this kind, are counted; null: all. */
  readonly crashOn: RegExp | null;
  /** Power is cut once in so many times that somebody is told something; 0: never. */
  readonly cutOdds: number;
  readonly faults: readonly DiskFault[];
  /** So many bytes more, and the disk is full; there is room again when clients are done. */
  readonly roomBytes: number | null;
  /** After so many operations of clients the file system is remounted read-only; null: never. */
  readonly readOnlyAfter: number | null;
  /** How a life ends that nothing else has ended. */
  readonly end: "close" | "process" | "power cut";
  readonly said: string;
}

const PATHS = [
  /./,
  /\/log\/\d+\.log$/,
  /\/log\/next-/,
  /\/log\/sealing-/,
  /\/log\/\d+\.sealed$/,
  /\/checkpoint\//,
  /\/checkpoint\/rows-/,
  /\/checkpoint\/run-/,
  /\/checkpoint\/manifest/,
  /\/log\/compacting-/,
  /\/log\/\d+\.\d+\.sealed$/,
  /\/log$/,
  /\/checkpoint$/,
];
const KINDS: readonly ((random: SeededRandom) => Omit<DiskFault, "path" | "skip">)[] = [
  () => ({ operation: "datasync", code: "EIO" }),
  () => ({ operation: "datasync", code: "ENOSPC" }),
  () => ({ operation: "write", code: "EIO" }),
  () => ({ operation: "write", code: "ENOSPC" }),
  () => ({ operation: "read", code: "EIO" }),
  () => ({ operation: "read", flipsBit: true }),
  () => ({ operation: "read", flipsBit: true, times: 3 }),
  () => ({ operation: "rename", code: "EIO" }),
  () => ({ operation: "syncDirectory", code: "EIO" }),
  () => ({ operation: "unlink", code: "EIO" }),
  () => ({ operation: "open", code: "EMFILE" }),
  () => ({ operation: "open", code: "EIO" }),
  () => ({ operation: "truncate", code: "EIO" }),
  () => ({ operation: "truncate", code: "ENOSPC" }),
  () => ({ operation: "list", code: "EIO" }),
  () => ({ operation: "list", code: "EMFILE" }),
  () => ({ operation: "rename", code: "ENOSPC" }),
  (random) => ({ operation: "write", bytesMax: 1 + random.below(2000), times: 1 + random.below(200) }),
  (random) => ({ operation: "read", bytesMax: 100 + random.below(2000), times: 1 + random.below(200) }),
];

function fault(random: SeededRandom): DiskFault {
  const kind = (KINDS[random.below(KINDS.length)] as (typeof KINDS)[number])(random);
  const times = kind.times ?? (random.oneIn(3) ? 1 + random.below(4) : 1);
  return {
    ...kind,
    times,
    path: PATHS[random.below(PATHS.length)] as RegExp,
    skip: random.below(random.oneIn(2) ? 60 : 6),
  };
}

export function planOf(random: SeededRandom, isLast: boolean): Plan {
  const ends = ["close", "process", "power cut"] as const;
  const plan: Omit<Plan, "said"> = {
    crashAfter: 0,
    crashOn: null,
    cutOdds: 0,
    faults: [],
    roomBytes: null,
    readOnlyAfter: null,
    end: ends[random.below(3)] as Plan["end"],
  };
  const chosen = isLast ? plan : { ...plan, ...befall(random) };
  const faults = chosen.faults.map(
    (f) =>
      `${f.operation} ${f.code ?? (f.flipsBit ? "flip" : `of ${f.bytesMax}`)} ${f.path} after ${f.skip}, ${f.times} times`,
  );
  const said = [
    chosen.crashAfter > 0
      ? `the machine stops at change ${chosen.crashAfter} of ${chosen.crashOn ?? "all"}`
      : "",
    chosen.cutOdds > 0 ? `power is cut at one answer in ${chosen.cutOdds}` : "",
    ...faults,
    chosen.roomBytes === null ? "" : `room for ${chosen.roomBytes} bytes`,
    chosen.readOnlyAfter === null ? "" : `read-only after ${chosen.readOnlyAfter} operations`,
    `else ${chosen.end}`,
  ];
  return { ...chosen, said: said.filter((text) => text !== "").join("; ") };
}

/** Lines of the disk's trace. */
const CHANGES = [
  /sealing-|\.sealed/,
  /^(unlink|rename|sync directory)/,
  /^unlink/,
  /^rename/,
  /checkpoint/,
  /run-/,
  /rows-/,
  /manifest/,
  /compacting-/,
  /backup/,
  /next-/,
  /^datasync/,
];

function befall(random: SeededRandom): Partial<Omit<Plan, "said">> {
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
      return random.oneIn(2)
        ? { crashAfter: 1 + random.below(random.oneIn(2) ? 15 : 120) }
        : { crashAfter: 1 + random.below(8), crashOn: CHANGES[random.below(CHANGES.length)] as RegExp };
    case 3:
    case 4:
      return { cutOdds: 1 + random.below(30) };
    case 5:
    case 6:
      return { faults: Array.from({ length: 1 + random.below(3) }, () => fault(random)) };
    case 7:
      return { faults: [fault(random)], crashAfter: 1 + random.below(100) };
    case 8:
      return { roomBytes: random.below(150_000) };
    default:
      return { readOnlyAfter: random.below(12) };
  }
}

export function strike(disk: SimulatedDisk, plan: Plan): void {
  for (const fault of plan.faults) disk.fail(fault);
  if (plan.crashAfter > 0) disk.crashAfter(plan.crashAfter, plan.crashOn);
}

/** All that can be mended without a restart is. */
export function mend(disk: SimulatedDisk): void {
  disk.heal();
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  disk.readOnly = false;
}
