import { expect, test } from "vitest";
import { StepPositions } from "../../src/engine/step-positions.ts";

/** The commits of each step, of so many that its memory of them grows several times, and then forgets. */
test("each step is known until 65,536 others have come", () => {
  const steps = new StepPositions();
  steps.startAt(1, 10);
  const last = 70_000;
  const end = (epoch: number): number => 10 + 2 * (epoch - 1);
  for (let epoch = 2; epoch <= last; epoch++) {
    steps.stepped(epoch, end(epoch));
    if (epoch > 1030 || epoch % 97 > 1) continue;
    for (let of = 2; of <= epoch; of++) expect(steps.of(of)).toEqual({ after: end(of - 1), to: end(of) });
    expect(steps.of(1)).toEqual({ after: 0, to: 10 });
    expect(steps.newest).toEqual({ epoch, position: end(epoch) });
  }
  const oldest = last - 65_535;
  expect(steps.of(oldest - 1)).toEqual({ after: 0, to: end(oldest) });
  expect(steps.of(oldest + 1)).toEqual({ after: end(oldest), to: end(oldest + 1) });
  expect(steps.of(last + 1)).toEqual({ after: end(last), to: Number.POSITIVE_INFINITY });
});
