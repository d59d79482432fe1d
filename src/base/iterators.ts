/** Iterators whose first item was taken to see whether there is one. */

/**
 * `first`, then what `rest` still gives. Its return() ends `rest` also before anything was asked for, as a generator around it would not.
 */
export function resumed<T>(
  first: IteratorResult<T, unknown>,
  rest: AsyncIterator<T, unknown>,
): AsyncIterableIterator<T, undefined> {
  let waiting: IteratorResult<T, unknown> | null = first;
  const ended = { done: true, value: undefined } as const;
  return {
    async next() {
      const item = waiting ?? (await rest.next());
      waiting = null;
      return item.done === true ? ended : item;
    },
    async return() {
      waiting = null;
      await rest.return?.();
      return ended;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
