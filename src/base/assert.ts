/** Asserts what only a bug can break. What the world can do is returned as an EvertError instead. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new AssertionError(invariant);
}

/** The compiler proves this is never reached: every kind has its case. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}

export class AssertionError extends Error {
  constructor(invariant: string) {
    super(`broken invariant: ${invariant}`);
    this.name = "AssertionError";
  }
}
