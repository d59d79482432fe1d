/** Seeds as tests: pieces small enough that one sees how far it is. */
import { expect, test } from "vitest";
import { type Outcome, simulate } from "./simulate.ts";

const SEEDS_PER_TEST = 25;

/** Of a failing run, what happened last. */
const LINES_SHOWN = 30;

/** `option`: what `npm run sim` is told besides. */
export function judged(
  from: number,
  to: number,
  run: (seed: number) => Promise<Outcome> = simulate,
  option = "",
): void {
  for (let first = from; first <= to; first += SEEDS_PER_TEST) {
    const last = Math.min(to, first + SEEDS_PER_TEST - 1);
    test(`seeds ${first} to ${last}`, async () => {
      for (let seed = first; seed <= last; seed++) {
        const { violation, trace, commits } = await run(seed);
        if (violation !== null) {
          const happened = trace.slice(-LINES_SHOWN).join("\n");
          const again = `Again: npm run sim -- ${option}--seed ${seed} --trace`;
          throw new Error(`seed ${seed}: ${violation.message}\n\n${happened}\n\n${again}\n`, {
            cause: violation,
          });
        }
        expect(commits).toBeGreaterThan(0);
      }
    });
  }
}
