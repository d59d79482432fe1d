/** Commits that are taken in parts (engine/stepper.ts). */
import { StepRoom } from "../../../src/engine/step-room.ts";

const each: PropertyDescriptorMap = {
  mayNeedParts: { configurable: true, value: () => true },
  isPartDue: { configurable: true, get: () => true },
  stepRowsMax: { configurable: true, get: () => 1 },
};

/** From now on each row of a commit is a part of its own, however much memory there is; what is given ends that. `between`: waited for behind each part. */
export function eachRowAPart(between?: () => Promise<void>): () => void {
  const before = Object.getOwnPropertyDescriptors(StepRoom.prototype);
  Object.defineProperties(StepRoom.prototype, each);
  if (between !== undefined) {
    const { freePart } = StepRoom.prototype;
    StepRoom.prototype.freePart = async function (waitsUntil) {
      const isFree = await freePart.call(this, waitsUntil);
      await between();
      return isFree;
    };
  }
  return () => {
    Object.defineProperties(StepRoom.prototype, before);
  };
}
