/** Commits that are taken in parts (engine/stepper.ts). */
import { StepRoom } from "../../../src/engine/step-room.ts";

const each: PropertyDescriptorMap = {
  mayNeedParts: { configurable: true, value: () => true },
  isPartDue: { configurable: true, get: () => true },
  stepRowsMax: { configurable: true, get: () => 1 },
};

/** From now on each row of a commit is a part of its own, however much memory there is; what is given ends that. */
export function eachRowAPart(): () => void {
  const before = Object.getOwnPropertyDescriptors(StepRoom.prototype);
  Object.defineProperties(StepRoom.prototype, each);
  return () => {
    Object.defineProperties(StepRoom.prototype, before);
  };
}
