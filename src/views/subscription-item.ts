/** What a subscriber is told; in which order stands in engine/api.ts. */
import type { ErrorBody } from "../base/errors.ts";

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
      readonly order: readonly OrderHeader[];
      readonly rowsJson: readonly string[];
      readonly position: string;
      readonly last: boolean;
      readonly stale?: true;
    }
  | {
      readonly type: "step";
      readonly position: string /** By name, its changes as JSON, several in a text. */;
      readonly views: ReadonlyMap<string, readonly string[]>;
    }
  | { readonly type: "reset"; readonly view: string; readonly reason: string }
  | { readonly type: "error"; readonly view: string; readonly error: ErrorBody };
