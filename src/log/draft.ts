/** One commit being staged: a thin hand on the open group, valid until it is ended. */
import { assert } from "../base/assert.ts";
import type { Batch } from "../batch/batch.ts";
import { type CommitDraft, type CommitReceipt, OP_UPSERT } from "./log.ts";
import type { OpenGroup } from "./open-group.ts";

export interface DraftOwner {
  commitDraft(draft: Draft): CommitReceipt;
  rollbackDraft(): void;
}

export class Draft implements CommitDraft {
  readonly idempotencyKey: string | null;
  readonly requestDigest: string | null;
  readonly #owner: DraftOwner;
  readonly #group: OpenGroup;
  #ended = false;

  constructor(
    owner: DraftOwner,
    group: OpenGroup,
    idempotencyKey: string | null,
    requestDigest: string | null,
  ) {
    this.#owner = owner;
    this.#group = group;
    this.idempotencyKey = idempotencyKey;
    this.requestDigest = requestDigest;
  }

  appendRow(topicId: number, row: unknown, op: number = OP_UPSERT, path?: string, index?: number): void {
    this.#assertOpen();
    this.#group.appendRow(topicId, row, op, path, index);
  }

  appendRows(topicId: number, rows: readonly unknown[], path?: string): void {
    this.#assertOpen();
    this.#group.appendRows(topicId, rows, path);
  }

  appendBatch(topicId: number, batch: Batch, ops: Uint8Array | null = null): void {
    this.#assertOpen();
    this.#group.appendBatch(topicId, batch, ops);
  }

  commit(): CommitReceipt {
    this.#assertOpen();
    this.#ended = true;
    return this.#owner.commitDraft(this);
  }

  rollback(): void {
    this.#assertOpen();
    this.#ended = true;
    this.#owner.rollbackDraft();
  }

  #assertOpen(): void {
    assert(!this.#ended, "a draft is not used after commit or rollback");
  }
}
