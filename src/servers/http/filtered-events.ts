/** What a subscription to a view is told, as who asked for some of its rows, or for another order, is told it. */
import { decodeUtf8, encodeUtf8 } from "../../base/bytes.ts";
import type { OrderColumn, SubscriptionEvent } from "../../engine/api.ts";
import { filteredChanges, filteredRows, type RowTest } from "../../wire/http/event-filter.ts";
import { TimeSlice } from "./time-slice.ts";

export interface ViewPart {
  /** null: every row. */
  readonly passes: RowTest | null;
  /** The order that clients are to keep; null: the view's own. */
  readonly order: readonly OrderColumn[] | null;
}

/** Of a subscription to one view. A step that touches none of the rows is not told. */
export async function* partOfEvents(
  events: AsyncIterable<SubscriptionEvent>,
  { passes, order }: ViewPart,
): AsyncGenerator<SubscriptionEvent, void, undefined> {
  const slice = new TimeSlice();
  for await (const event of events) {
    if (event.type === "snapshot") {
      const rowsJson = passes === null ? event.rowsJson : filteredRows(event.rowsJson, passes);
      yield { ...event, rowsJson, order: order ?? event.order };
    } else if (event.type === "step" && passes !== null) {
      const views = new Map<string, readonly Uint8Array[]>();
      for (const [view, pieces] of event.views) {
        const deletes: Uint8Array[] = [];
        const others: Uint8Array[] = [];
        for (const piece of pieces) {
          if (slice.over()) await slice.rest();
          const changes = filteredChanges(decodeUtf8(piece), passes);
          if (changes.deletes !== "") deletes.push(encodeUtf8(changes.deletes));
          if (changes.others !== "") others.push(encodeUtf8(changes.others));
        }
        if (deletes.length + others.length > 0) views.set(view, [...deletes, ...others]);
      }
      if (views.size > 0) yield { ...event, views };
    } else {
      yield event;
    }
  }
}
