/** An Avro object container file appended some blocks at a time, each part under a producer's number, so that none is stored twice when a connection breaks. */
import { randomUUID } from "node:crypto";
import { toEvertError } from "../base/errors.ts";
import { avroFileParts, type FilePart } from "../client/avro-file.ts";
import { backoffMs, pause } from "../client/backoff.ts";
import type { AppendAnswer, ChunkedProgress } from "../client/protocol.ts";
import type { Progress } from "./progress.ts";
import type { Remote } from "./remote.ts";

/** A request is sent again for so long. */
const RETRY_MS_MAX = 30_000;

type Committed = Pick<ChunkedProgress, "count" | "position">;

/** @throws EvertError; `onCommitted` is told how far it came then */
export async function appendAvroFile(
  remote: Remote,
  topic: string,
  pieces: AsyncIterable<Uint8Array>,
  progress: Progress,
  onCommitted: (committed: Committed) => void,
): Promise<Committed> {
  const id = `evert-append-${randomUUID()}`;
  let committed: Committed = { count: 0, position: null };
  onCommitted(committed);
  // A server that does not answer this is not waited for, nor a topic that is not there; one that goes away later is.
  await remote.get(`/v1/topics/${encodeURIComponent(topic)}/schemas`);
  let first = 0;
  let seq = 0;
  for await (const part of avroFileParts(pieces)) {
    const { position, count } = await sent(remote, topic, part, first, { id, seq: seq++ });
    first += part.count;
    committed = { count: committed.count + count, position };
    onCommitted(committed);
    progress.advance(0, part.count);
  }
  return committed;
}

async function sent(
  remote: Remote,
  topic: string,
  { bytes }: FilePart,
  first: number,
  { id, seq }: { readonly id: string; readonly seq: number },
): Promise<AppendAnswer> {
  const path = `/v1/topics/${encodeURIComponent(topic)}/records?firstLine=${first + 1}`;
  const place = { "Producer-Id": id, "Producer-Epoch": "0", "Producer-Seq": String(seq) };
  const since = performance.now();
  for (let attempt = 0; ; attempt++) {
    try {
      return await remote.post<AppendAnswer>(path, "application/avro", bytes, place);
    } catch (thrown) {
      const error = toEvertError(thrown);
      // What was not answered may have been stored: under its number it is not stored again.
      if (!error.retryable || performance.now() - since >= RETRY_MS_MAX) throw error;
      await pause(backoffMs(attempt, 2_000), new AbortController().signal);
    }
  }
}
