/** Work between two pauses: a loop counts its steps down and yields when none is left. */
export class Pace {
  left = 0;

  /** After a pause. */
  renew(): void {
    this.left = STEPS;
  }
}

/** Rows walked, compared or added up: at most some two microseconds each. */
const STEPS = 1024;
