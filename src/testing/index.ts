/** `evert/testing`: the system as tests want it. Pass these to open() instead of the machine's own. */
export type { DiskFault, DiskOperation } from "./disk-faults.ts";
export { SeededRandom } from "./seeded-random.ts";
export { SimulatedClock } from "./simulated-clock.ts";
export { SimulatedDisk, type SimulatedDiskOptions } from "./simulated-disk.ts";
