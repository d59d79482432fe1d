/** Randomness, passed in. */
export interface Random {
  /** Fills `target` and returns it. */
  bytes<T extends Uint8Array<ArrayBuffer>>(target: T): T;
}

/** The platform's cryptographic generator, in Node and in browsers. */
export const systemRandom: Random = {
  bytes: (target) => crypto.getRandomValues(target),
};
