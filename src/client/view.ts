/**
 * One live view: what the connection tells it, and the immutable moment it shows.
 *
 * Two states are kept apart. The *current* one follows the messages: a RowSet, and while a snapshot comes in several parts a
 * second one that takes its place with the last part. The *shown* one is `snapshot`; `publish` replaces it, for all views of
 * the connection together, after which listeners are called.
 */
import { EvertError } from "../base/errors.ts";
import { comparePositions } from "../base/position.ts";
import type { ChangeMessage, SnapshotMessage } from "../wire/http/event-messages.ts";
import { rowCompare } from "./order.ts";
import { RowSet } from "./rows.ts";
import type { AnyRow, Key, LiveStatus, LiveView, ViewSnapshot } from "./types.ts";
import { keyId, needsDigits, type RawRow, rowConverter } from "./values.ts";

/** What the view asks of whoever fetches it. */
export interface ViewOwner {
  /** Somebody listens: keep the view current. */
  wanted(view: ViewState): void;
  /** Nobody does any more. */
  unwanted(view: ViewState): void;
}

interface Shape {
  readonly keyTypes: readonly string[];
  readonly convert: (row: RawRow) => RawRow;
  readonly rows: RowSet<AnyRow>;
  readonly needsDigits: boolean;
}

const noRows: readonly AnyRow[] = Object.freeze([]);
const nothing: ViewSnapshot<AnyRow> = Object.freeze({
  rows: noRows,
  position: undefined,
  status: "connecting",
  error: undefined,
});

export class ViewState implements LiveView<AnyRow> {
  readonly name: string;
  /** The position up to which messages have been applied; undefined: only a snapshot can make the view current. */
  resumeFrom: string | undefined;

  readonly #owner: ViewOwner;
  readonly #listeners = new Set<() => void>();
  #shown: ViewSnapshot<AnyRow> = nothing;
  #current: Shape | undefined;
  #incoming: Shape | undefined;
  #status: LiveStatus = "connecting";
  #error: EvertError | undefined;
  /** Of the last message that touched the rows. */
  #touched: string | undefined;
  #dirty = false;

  constructor(name: string, owner: ViewOwner) {
    this.name = name;
    this.#owner = owner;
  }

  // ---- what users see

  get snapshot(): ViewSnapshot<AnyRow> {
    return this.#shown;
  }

  get rows(): readonly AnyRow[] {
    return this.#shown.rows;
  }

  get position(): string | undefined {
    return this.#shown.position;
  }

  get status(): LiveStatus {
    return this.#shown.status;
  }

  get error(): EvertError | undefined {
    return this.#shown.error;
  }

  get(key: Key): AnyRow | undefined {
    return this.#current?.rows.get(keyId(key, this.#current.keyTypes));
  }

  subscribe(listener: () => void): () => void {
    // Two subscriptions of one function are two subscriptions.
    const own = () => listener();
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#owner.wanted(this);
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#owner.unwanted(this);
    };
  }

  ready(): Promise<readonly AnyRow[]> {
    return new Promise((resolve, reject) => {
      const settled = (): boolean => {
        if (this.#shown.status === "live") resolve(this.#shown.rows);
        else if (this.#shown.status === "error") reject(this.#shown.error);
        else return false;
        return true;
      };
      // Subscribed also when settled already: the view is then kept for the moment in which the caller goes on to use it.
      const leave = this.subscribe(() => {
        if (settled()) leave();
      });
      if (settled()) leave();
    });
  }

  // ---- what the connection tells

  /** Whether messages about this view must be parsed with all digits. */
  get needsDigits(): boolean {
    return this.#current?.needsDigits === true || this.#incoming?.needsDigits === true;
  }

  /** One part of a snapshot. */
  snapshotPart(message: SnapshotMessage): void {
    this.#incoming ??= shapeOf(message);
    const { rows, keyTypes, convert } = this.#incoming;
    for (const { key, row } of message.rows) rows.put(keyId(key, keyTypes), convert(row as RawRow));
    if (!message.last) return;
    this.#current = this.#incoming;
    this.#incoming = undefined;
    // Steps are not about stale rows, and nothing continues from them.
    this.resumeFrom = message.stale === true ? undefined : message.position;
    this.#touched = message.position;
    this.#set(message.stale === true ? "stale" : "live", undefined);
    this.#dirty = true;
  }

  /** The changes of one step. @throws EvertError protocol_violation when they do not fit the rows. */
  step(position: string, changes: readonly ChangeMessage[]): void {
    // It shows an error or waits for its snapshot, which will hold this step.
    if (this.resumeFrom === undefined || this.#current === undefined) return;
    if (comparePositions(position, this.resumeFrom) <= 0) return;
    const { rows, keyTypes, convert } = this.#current;
    for (const change of changes) {
      const id = keyId(change.key, keyTypes);
      const known = rows.get(id) !== undefined;
      if (known === (change.op === "insert")) {
        throw this.#misfit(
          `${change.op} of the key ${id}, which is ${known ? "there already" : "not there"}`,
        );
      }
      if (change.op === "delete") rows.delete(id);
      else rows.put(id, convert(change.row as RawRow));
    }
    this.#touched = position;
    this.#dirty = true;
  }

  /** A step that did not touch this view has passed. */
  passed(position: string): void {
    if (this.resumeFrom !== undefined && comparePositions(position, this.resumeFrom) > 0)
      this.resumeFrom = position;
  }

  /** What is shown no longer continues; a snapshot follows. */
  reset(): void {
    this.resumeFrom = undefined;
    this.#incoming = undefined;
    this.#set(this.#shown.position === undefined ? "connecting" : "reconnecting", undefined);
  }

  /** The current state is not to be trusted. What is shown is: it stays until a snapshot has come. */
  forget(): void {
    this.#current = undefined;
    this.reset();
  }

  fail(error: EvertError): void {
    this.resumeFrom = undefined;
    this.#incoming = undefined;
    this.#set("error", error);
  }

  /** The connection stands; a view that resumes is current. */
  connected(): void {
    this.#incoming = undefined;
    if (this.resumeFrom !== undefined) this.#set("live", undefined);
  }

  disconnected(): void {
    this.#incoming = undefined;
    if (this.#status === "live" || this.#status === "stale") this.#set("reconnecting", undefined);
  }

  /** Nobody wants the view any more. */
  clear(): void {
    this.resumeFrom = undefined;
    this.#current = undefined;
    this.#incoming = undefined;
    this.#touched = undefined;
    this.#error = undefined;
    this.#status = "connecting";
    this.#dirty = false;
    this.#shown = nothing;
  }

  /** Makes the current state the shown one. True when that changed anything. */
  publish(): boolean {
    if (!this.#dirty) return false;
    this.#dirty = false;
    this.#shown = Object.freeze({
      rows: this.#current?.rows.rows ?? this.#shown.rows,
      position: this.#current === undefined ? this.#shown.position : this.#touched,
      status: this.#status,
      error: this.#error,
    });
    return true;
  }

  notify(): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        // A listener's bug is its own: the other listeners still hear of the change.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #set(status: LiveStatus, error: EvertError | undefined): void {
    if (this.#status === status && this.#error === error) return;
    this.#status = status;
    this.#error = error;
    this.#dirty = true;
  }

  #misfit(detail: string): EvertError {
    return new EvertError("protocol_violation", `view "${this.name}" lost its place in the stream`, {
      detail,
    });
  }
}

function shapeOf(message: SnapshotMessage): Shape {
  const types = new Map(message.columns.map((c) => [c.name, c.type]));
  return {
    keyTypes: message.keyColumns.map((name) => types.get(name) ?? "text"),
    convert: rowConverter(message.columns),
    rows: new RowSet(rowCompare(message.columns, message.order)),
    needsDigits: needsDigits(message.columns),
  };
}
