/** Seeds as tests: pieces small enough that one sees how far it is. */
import { expect, test } from "vitest";
import { type Outcome, simulate } from "./simulate.ts";

const SEEDS_PER_TEST = 25;

/** Of a failing run, what happened last. */
const LINES_SHOWN = 30;

type Run = (seed: number) => Promise<Outcome>;

/** `option`: what `npm run sim` is told besides. `happens`: what is to be seen in these runs, each in one of them at least. */
export function judged(
  from: number,
  to: number,
  run: Run = simulate,
  option = "",
  happens: readonly RegExp[] = [],
): void {
  const missing = new Set(happens);
  const lookedAt = new Set<number>();
  const look = (seed: number, trace: readonly string[]): void => {
    lookedAt.add(seed);
    for (const line of trace) for (const pattern of missing) if (pattern.test(line)) missing.delete(pattern);
  };
  for (let first = from; first <= to; first += SEEDS_PER_TEST) {
    const last = Math.min(to, first + SEEDS_PER_TEST - 1);
    test(`seeds ${first} to ${last}`, async () => {
      for (let seed = first; seed <= last; seed++) {
        const { violation, trace, commits } = await run(seed);
        look(seed, trace);
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
  if (happens.length === 0) return;
  // Of what was judged above; runs itself only what was not, as where this test is asked for by name.
  test("what is to befall them does", async () => {
    for (let seed = from; missing.size > 0 && seed <= to; seed++)
      if (!lookedAt.has(seed)) look(seed, (await run(seed)).trace);
    expect([...missing]).toEqual([]);
  }, 400_000);
}
