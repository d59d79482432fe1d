/** What a subscriber asks for and is told; in which order stands in engine/api.ts. */
import type { ErrorBody } from "../base/errors.ts";

/** What subscriptions need to know of the engine. */
export interface Published {
  readonly epoch: number;
  readonly position: number;
}

export interface Target {
  readonly view: string;
  readonly key?: unknown;
  /** Position to resume from; null: a snapshot in any case; absent: the subscription's. */
  readonly from?: number | null | undefined;
}

export interface ColumnHeader {
  readonly name: string;
  readonly type: string;
}

export interface OrderHeader {
  readonly column: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export type SubscriptionItem =
  | {
      readonly type: "snapshot";
      readonly view: string;
      readonly columns: readonly ColumnHeader[];
      readonly keyColumns: readonly string[];
      /** The view's ORDER BY; empty when it has none. */
      readonly order: readonly OrderHeader[];
      /** At most 10,000 elements, each `{"key":..,"row":{..}}`. */
      readonly rowsJson: readonly string[];
      readonly position: string;
      readonly last: boolean;
      /** Rows of the view's earlier definition, which no step changes; a reset comes when it has been rebuilt. */
      readonly stale?: true;
    }
  | {
      readonly type: "step";
      readonly position: string;
      /**
       * View name -> its changes as JSON in UTF-8, encoded once for all subscribers: the elements of an array without its brackets, several in a
       * piece, commas between them in a piece and none between two pieces. To be read until the next item is asked for, and never written to: the
       * memory is used again.
       */
      readonly views: ReadonlyMap<string, readonly Uint8Array[]>;
    }
  /** What was shown so far no longer holds (missed more than is kept, or the view was rebuilt): a snapshot follows. */
  | { readonly type: "reset"; readonly view: string; readonly reason: string }
  /**
   * The view has rows in its error collection; reads of it fail alike. A reset and snapshot follow when it heals. `ended`: it is not subscribed to
   * any more.
   */
  | { readonly type: "error"; readonly view: string; readonly error: ErrorBody; readonly ended?: true };

/** Of a subscription whose targets change: with what is told up to here, all changes with these tokens have come about, at this position. */
export interface AlteredItem {
  readonly type: "altered";
  readonly tokens: readonly unknown[];
  readonly position: string;
  /** Every view that is wanted then, and whether it shows its rows as of the position: it may have an error, or rows of an earlier definition. */
  readonly views: ReadonlyMap<string, boolean>;
}
