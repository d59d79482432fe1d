/**
 * The first rows of a view, or of a part of it, in an order, followed: what reading them again would give, as a snapshot and then changes.
 *
 * 1. They are read, at a position P, and told. A read has the steps of its view kept, so the view's changes are listened to from P on.
 * 2. When a step has changed the view, they are read again, at that step or a later one. What differs from what was told is one change, of that position; steps up to
 *    there are passed over. So a row that leaves makes room for the next, and each state that is told was there.
 * 3. Where the view shows an error, or is made anew, that is told as to any subscriber, and then they are told anew.
 */
import { encodeUtf8 } from "../../base/bytes.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import { comparePositions } from "../../base/position.ts";
import type { OrderColumn, RowsQuery, SubscriptionEvent, ViewStatus } from "../../engine/api.ts";
import { FirstRows } from "../../wire/http/first-rows.ts";
import { viewMessage } from "./catalog.ts";
import type { ServerContext } from "./context.ts";

/** More are not held for a subscriber, and not read again at every step. */
export const followedRowsMax = 10_000;

export interface FirstRowsOf {
  readonly view: string;
  readonly query: RowsQuery & { readonly limit: number };
  /** The order that clients are to keep; null: the view's own. */
  readonly order: readonly OrderColumn[] | null;
  /** It comes back with what it was told before. */
  readonly isResumed: boolean;
}

interface Read {
  readonly rows: readonly string[];
  readonly position: string;
  readonly stale?: true;
}

export async function* firstRowsEvents(
  { engine }: ServerContext,
  { view, query, order, isResumed }: FirstRowsOf,
  signal: AbortSignal,
): AsyncGenerator<SubscriptionEvent, void, undefined> {
  /** Null: the view shows an error. */
  const read = async (): Promise<Read | null> => {
    const rows: string[] = [];
    try {
      const { rowsJson, position, stale } = await engine.view(view).rowsJson(query);
      for await (const chunk of rowsJson) rows.push(...chunk);
      return { rows, position, ...(stale === true ? { stale } : {}) };
    } catch (error) {
      // Subscribers are told of it, and of its end.
      const { error: own, status } = engine.view(view).info;
      if (own === undefined && !isOfRows(error) && !isOfGap(error, status)) throw error;
      return null;
    }
  };
  let told: FirstRows | null = null;
  let shown = "0";
  const snapshot = ({ rows, position, stale }: Read): SubscriptionEvent => {
    const { columns: all, key, order: own } = viewMessage(engine.view(view).info);
    const columns = all.map(({ name, type, labels }) =>
      labels === undefined ? { name, type } : { name, type, labels },
    );
    told = new FirstRows(key ?? []);
    shown = position;
    const head = { type: "snapshot" as const, view, columns, keyColumns: key ?? [], order: order ?? own };
    return { ...head, rowsJson: told.show(rows), position, last: true, ...(stale === true ? { stale } : {}) };
  };
  if (isResumed) yield { type: "reset", view, reason: "the first rows of a view are told anew" };
  const first = await read();
  if (first !== null) yield snapshot(first);
  const target = first === null ? { view } : { view, from: first.position };
  for await (const event of engine.subscribe([target], { signal })) {
    if (event.type === "snapshot") {
      if (!event.last) continue;
      const again = await read();
      if (again !== null) yield snapshot(again);
    } else if (event.type !== "step") {
      told = null;
      yield event;
    } else if (told !== null && comparePositions(event.position, shown) > 0) {
      const now = await read();
      if (now === null) continue;
      shown = now.position;
      const changes = (told as FirstRows).change(now.rows);
      if (changes.length === 0) continue;
      yield {
        type: "step",
        position: now.position,
        views: new Map([[view, [encodeUtf8(changes.join(","))]]]),
      };
    }
  }
}

/** Errors of rows are the view's, and come and go with them. */
function isOfRows(thrown: unknown): boolean {
  const { sqlstate } = toEvertError(thrown);
  return thrown instanceof EvertError && (sqlstate.startsWith("22") || sqlstate.startsWith("23"));
}

/** The view is there, and what it has is no moment of the log (engine/moments.ts): subscribers wait until it is one. */
function isOfGap(thrown: unknown, status: ViewStatus): boolean {
  return toEvertError(thrown).code === "not_ready" && status !== "building";
}
