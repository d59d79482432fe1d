/**
 * What event streams say, over SSE and over a WebSocket, as types. Of SSE, `event` names the type, `data` is the JSON below, `id` is a position to
 * resume from.
 *
 * GET /v1/subscribe?view=a&from=41&view=b&from=41&view=c: a `from` belongs to the view named before it; one that stands
 * before every `view`, or a Last-Event-ID, belongs to all views that have none of their own. Here a and b resume (the steps
 * they missed come first), c gets a snapshot after that. A view that is not there answers with an `error` event of its own
 * (`final: false`), the others go on.
 */
import type { ErrorBody } from "../../base/errors.ts";
import type { ColumnMessage, JsonRow, JsonValue, OrderColumnMessage } from "./messages.ts";

/** A snapshot message holds at most this many rows; the last one of a snapshot says `last: true`. */
export const snapshotRowsMax = 10_000;
/** A server writes a comment on a silent event stream at least this often. */
export const heartbeatMs = 15_000;

export interface KeyedRowMessage<R = JsonRow> {
  readonly key: JsonValue;
  readonly row: R;
}

export type ChangeMessage<R = JsonRow> =
  | { readonly op: "insert"; readonly key: JsonValue; readonly row: R }
  | { readonly op: "update"; readonly key: JsonValue; readonly row: R; readonly old: R }
  | { readonly op: "delete"; readonly key: JsonValue; readonly old: R };

/**
 * `event: snapshot`. One or more per view; the first starts from nothing, the last says so.
 * `view` is there on /v1/subscribe only.
 */
export interface SnapshotMessage<R = JsonRow> {
  readonly view?: string;
  readonly columns: readonly ColumnMessage[];
  readonly keyColumns: readonly string[];
  /** The view's own order; empty when it has none. */
  readonly order: readonly OrderColumnMessage[];
  readonly rows: readonly KeyedRowMessage<R>[];
  readonly position: string;
  readonly last: boolean;
  /**
   * The rows are those of the view's earlier definition, as of `position`: no step changes them, there is nothing to resume from,
   * and a reset comes when the view has been rebuilt.
   */
  readonly stale?: true;
}

/** `event: change` on a single view's stream: one per step that touched it. */
export interface ChangesMessage<R = JsonRow> {
  readonly position: string;
  readonly changes: readonly ChangeMessage<R>[];
}

/** `event: step` on /v1/subscribe: one per step that touched any of the views, with every one it touched. */
export interface StepMessage {
  readonly position: string;
  readonly views: { readonly [view: string]: readonly ChangeMessage[] };
}

/** `event: reset`: what was shown so far no longer holds; a snapshot follows. `view` is there on /v1/subscribe only. */
export interface ResetMessage {
  readonly view?: string;
  readonly reason: string;
}

/**
 * `event: error`. With `view` (or on a single view's stream, with `final: false`): the view has rows in its error
 * collection; a reset and a snapshot follow when it heals. With `final: true` the stream ends here: connect again.
 */
export interface StreamErrorMessage {
  readonly view?: string;
  readonly error: ErrorBody;
  readonly final: boolean;
}

// ---- /v1/ws: a WebSocket over which views and rows are subscribed to and unsubscribed from at will. Every message is one text of JSON.
//
// What the server says is what /v1/subscribe says, with the event's name as `type`, which comes first, and its id, where it has one, as `id`: a position
// from which all that is subscribed to can be resumed. There is one subscription to each view, of all its rows or of some by key; one more key, or all rows, begins the
// view anew. Unsubscribing takes nothing back: what is under way may still come, until `unsubscribed`.

/** At most so many characters in a message of the client. */
export const wsMessageCharsMax = 1 << 20;
/** So many views and rows on one connection. */
export const wsTargetsMax = 1000;

export interface WsTarget {
  readonly view: string;
  /** Only the row with this key: its value, or an array of a composite key's values. */
  readonly key?: JsonValue;
  /** Resume from this position, that of the last `id`. */
  readonly from?: string;
}

/** What a client says. A single target may stand in the message itself. */
export type WsRequest =
  | {
      readonly type: "subscribe";
      readonly targets: readonly WsTarget[];
      /** Comes back in the answer. */
      readonly request?: string | number;
      readonly atLeast?: string;
      readonly timeoutMs?: number;
    }
  | {
      readonly type: "unsubscribe";
      readonly targets: readonly WsTarget[];
      readonly request?: string | number;
    };

export type WsMessage =
  | ({ readonly type: "snapshot"; readonly id?: string } & SnapshotMessage)
  | ({ readonly type: "step"; readonly id?: string } & StepMessage)
  | ({ readonly type: "reset" } & ResetMessage)
  /** `ended`: the view is not subscribed to any more. `final`: the connection ends. `request`: the message that cannot be followed. */
  | ({
      readonly type: "error";
      readonly request?: string | number | null;
      readonly ended?: true;
    } & StreamErrorMessage)
  /** With what came before it, all that is subscribed to is shown as of this position. */
  | {
      readonly type: "subscribed" | "unsubscribed";
      readonly request: string | number | null;
      readonly position: string;
      readonly id?: string;
    }
  /** Nothing has happened for a while. */
  | { readonly type: "heartbeat" };
