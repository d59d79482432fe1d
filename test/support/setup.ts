/** Before each test file. */
import fc from "fast-check";
import { checkWhatTestsLeave } from "./left-behind.ts";
import { seed } from "./seed.ts";

/** How long a property that has failed looks for a smaller case; 0: it shows the one it met. EVERT_SHRINK_MS=600000 looks longer. */
const shrinkMs = Number(process.env["EVERT_SHRINK_MS"] ?? 30_000);

if (!(shrinkMs >= 0)) throw new Error("EVERT_SHRINK_MS is a number of milliseconds");

fc.configureGlobal({ seed });

checkWhatTestsLeave();

/** Counts from the first failure on, so that a property that holds does all its runs however slow the machine is. */
fc.installGlobalPlugin(() => {
  let until = Number.POSITIVE_INFINITY;
  const failedAt = (failed: boolean): void => {
    if (failed && until === Number.POSITIVE_INFINITY) until = performance.now() + shrinkMs;
  };
  return {
    decorateRun: (run) => (value) => {
      if (performance.now() >= until) return new fc.PreconditionFailure(true);
      const outcome = run(value);
      if (outcome instanceof Promise) {
        return outcome.then((settled) => {
          failedAt(isFailure(settled));
          return settled;
        });
      }
      failedAt(isFailure(outcome));
      return outcome;
    },
  };
});

/** Not null (it held), nor a case that was set aside. */
function isFailure(outcome: object | null): boolean {
  return outcome !== null && !(outcome instanceof fc.PreconditionFailure);
}
