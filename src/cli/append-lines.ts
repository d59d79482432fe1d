/** Lines of NDJSON appended under a producer's numbers: over connections that break, a server that is started again, and, under a name, runs of the command. */
import { randomUUID } from "node:crypto";
import { EvertError, toEvertError } from "../base/errors.ts";
import { backoffMs, pause } from "../client/backoff.ts";
import type { ChunkedProgress, ProducerAnswer } from "../client/protocol.ts";
import { ChunkedAppend } from "./append-chunks.ts";
import type { Remote } from "./remote.ts";

/** A request is sent again for so long. */
const RETRY_MS_MAX = 30_000;

export interface Lines {
  readonly pieces: AsyncIterable<Uint8Array>;
  readonly source: { close(): Promise<void> };
  readonly unread: { isOver: boolean };
}

/** How far an append has come. `isOpen`: what was not answered may be stored as well. `passedOver`: records at the front that an earlier run has stored. */
export interface Committed extends Pick<ChunkedProgress, "count" | "position"> {
  readonly isOpen?: boolean;
  readonly passedOver?: number;
}

/** It may have been stored: no answer came that says so, or why not. */
export function isUnanswered({ retryable, status }: EvertError): boolean {
  return retryable || status >= 500;
}

/** Under whose numbers it is appended; of a name that is not given, one that nobody else has. */
export function producerId(name: string | undefined): string {
  return name ?? `evert-append-${randomUUID()}`;
}

/** @param id a producer's: it goes on where that has ended. @throws EvertError; `onCommitted` is told how far it came then */
export async function appendLines(
  remote: Remote,
  topic: string,
  { pieces, source, unread }: Lines,
  id: string,
  interrupted: AbortSignal,
  onCommitted: (committed: Committed) => void,
): Promise<Committed> {
  // A server that does not answer this is not waited for; one that goes away later is.
  const known = await producerOf(remote, id);
  const epoch = known?.epoch ?? 0;
  const before = known?.topics.find((one) => one.topic === topic);
  const first = before === undefined ? 0 : before.seq + 1;
  let hasBegun = false;
  /** Of the last request. */
  let part: Committed = { count: 0, position: null };
  const chunks = new ChunkedAppend(
    topic,
    {
      async register() {
        if (!hasBegun) {
          hasBegun = true;
          return epoch;
        }
        throw new EvertError("out_of_sequence", "the server does not know any more what was sent before", {
          detail: `Of producer ${id} it expects other numbers: the topic was made anew, or another one writes under the name.`,
        });
      },
      async send(_topic, chunk, { seq }) {
        const place = {
          "Producer-Id": id,
          "Producer-Epoch": String(epoch),
          "Producer-Seq": String(first + seq),
        };
        part = { count: 0, position: null };
        return remote.appendChunk(topic, chunk, place, (committed) => {
          part = committed;
        });
      },
      async again(attempt, sinceMs) {
        if (sinceMs >= RETRY_MS_MAX || interrupted.aborted) return false;
        await pause(backoffMs(attempt, 2_000), interrupted);
        return !interrupted.aborted;
      },
    },
    first,
  );
  chunks.position = before?.position ?? null;
  chunks.onFailure = () => {
    // Whoever sends for ever is not waited for.
    unread.isOver = true;
    void source.close();
  };
  for await (const piece of pieces) {
    await chunks.write(piece);
    if (chunks.failure !== null) break;
  }
  await chunks.end(interrupted.aborted);
  if (chunks.failure === null) {
    const all = { count: chunks.stored, position: chunks.position, passedOver: first - chunks.unseen };
    onCommitted(all);
    if (chunks.unseen > 0 && !interrupted.aborted) throw otherRecords(id, first, first - chunks.unseen);
    return all;
  }
  // What is stored is known to the server best, if it can be asked.
  const now = await producerOf(remote, id).catch(() => undefined);
  const reached = now?.topics.find((one) => one.topic === topic);
  const told = {
    count: chunks.stored + part.count,
    position: part.position ?? chunks.position,
    isOpen: now === undefined && isUnanswered(chunks.failure),
  };
  const asked = reached === undefined ? told : { count: reached.seq + 1 - first, position: reached.position };
  onCommitted(asked);
  throw chunks.failure;
}

/** Records that are passed over are not looked at: that there are fewer of them shows that they are others. */
export function otherRecords(id: string, stored: number, come: number): EvertError {
  return new EvertError("conflict", `these are not the records that producer ${id} has stored`, {
    detail: `There are ${come} of them, and ${stored} are stored under the name.`,
    hint: "Give other records another name.",
  });
}

/** What is known of the producer; null: nothing. */
export async function producerOf(remote: Remote, id: string): Promise<ProducerAnswer | null> {
  try {
    return await remote.get<ProducerAnswer>(`/v1/producers/${encodeURIComponent(id)}`);
  } catch (error) {
    if (toEvertError(error).code === "not_found") return null;
    throw error;
  }
}
