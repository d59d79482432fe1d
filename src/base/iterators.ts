/** Iterators of which something was taken, or asked for, before they are handed on. */

/**
 * `taken`, then what `rest` still gives. Its return() ends `rest` also before anything was asked for, as a generator around it would not.
 */
export function resumed<T>(
  taken: readonly (IteratorResult<T, unknown> | Promise<IteratorResult<T, unknown>>)[],
  rest: AsyncIterator<T, unknown>,
): AsyncIterableIterator<T, undefined> {
  const waiting = [...taken];
  const ended = { done: true, value: undefined } as const;
  return {
    async next() {
      const item = await (waiting.shift() ?? rest.next());
      return item.done === true ? ended : item;
    },
    async return() {
      waiting.length = 0;
      await rest.return?.();
      return ended;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
