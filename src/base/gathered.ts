/** Items of several sources as they come, in batches: as many of one source as are there at once, up to a bound. */

export interface Gathered<Source, Item> {
  readonly source: Source;
  readonly items: readonly Item[];
}

type Given<Item> = IteratorResult<Item> | { readonly error: unknown };

/** A source, and what it has given that nobody has taken yet. */
interface Slot<Source, Item> {
  readonly source: Source;
  readonly iterator: AsyncIterator<Item>;
  /** null: it is being waited for. */
  given: Given<Item> | null;
}

/**
 * Of each source in its order; between sources, whichever has something, the busy ones in turns. One item of each is read ahead. Ends when all have,
 * and ends all when it is left.
 */
export async function* gathered<Source, Item>(
  sources: readonly { readonly source: Source; readonly items: AsyncIterable<Item> }[],
  itemsMax: number,
): AsyncGenerator<Gathered<Source, Item>, void, undefined> {
  let wake: () => void = () => {};
  const ask = (slot: Slot<Source, Item>): void => {
    slot.given = null;
    const give = (given: Given<Item>): void => {
      slot.given = given;
      wake();
    };
    slot.iterator.next().then(give, (error: unknown) => give({ error }));
  };
  const woken = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  const slots = sources.map(({ source, items }): Slot<Source, Item> => {
    const slot: Slot<Source, Item> = { source, iterator: items[Symbol.asyncIterator](), given: null };
    ask(slot);
    return slot;
  });
  try {
    while (slots.length > 0) {
      const at = slots.findIndex(({ given }) => given !== null);
      if (at < 0) {
        await woken();
        continue;
      }
      // The next time another one comes first.
      const [slot] = slots.splice(at, 1) as [Slot<Source, Item>];
      const items: Item[] = [];
      let isLate = false;
      let hasEnded = false;
      const timer = setTimeout(() => {
        isLate = true;
        wake();
      }, 0);
      while (items.length < itemsMax) {
        const { given } = slot;
        if (given === null) {
          if (isLate) break;
          await woken();
        } else if ("error" in given) {
          clearTimeout(timer);
          // What came before it is still told.
          if (items.length > 0) yield { source: slot.source, items };
          throw given.error;
        } else if (given.done === true) {
          hasEnded = true;
          break;
        } else {
          items.push(given.value);
          ask(slot);
        }
      }
      clearTimeout(timer);
      if (!hasEnded) slots.push(slot);
      if (items.length > 0) yield { source: slot.source, items };
    }
  } finally {
    // One that waits for what may never come is not waited for.
    for (const { iterator } of slots) iterator.return?.()?.catch(() => {});
  }
}
