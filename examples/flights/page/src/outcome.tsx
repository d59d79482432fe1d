/** What became of something sent: stored where, shown when, or refused why. */
import type { EvertError } from "evert/client";
import { count } from "./format.ts";
import type { Receipt } from "./use-submit.ts";

export function Outcome({ error, receipt }: { error: EvertError | undefined; receipt: Receipt | undefined }) {
  return (
    <p className="outcome" role="status" data-error={error !== undefined}>
      {error !== undefined && [error.message, error.detail, error.hint].filter(Boolean).join(". ")}
      {receipt !== undefined && (
        <>
          Stored at position {count(BigInt(receipt.position))}
          {receipt.ms !== undefined && `, on screen after ${Math.max(1, Math.round(receipt.ms))} ms`}
        </>
      )}
    </p>
  );
}
