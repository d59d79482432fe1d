/** `evert/testing`: the system as tests want it. Pass these to open() instead of the machine's own. */
export { SeededRandom } from "./seeded-random.ts";
export { SimulatedClock } from "./simulated-clock.ts";
export {
  type DiskFault,
  type DiskOperation,
  SimulatedDisk,
  type SimulatedDiskOptions,
} from "./simulated-disk.ts";
