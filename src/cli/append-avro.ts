/**
 * An Avro object container file appended some blocks at a time, each part under a producer's number, that of its first record: so that none is stored twice when a connection
 * breaks, and a producer with a name goes on behind the records that are stored.
 */
import { toEvertError } from "../base/errors.ts";
import { avroFileParts, type FilePart } from "../client/avro-file.ts";
import { backoffMs, pause } from "../client/backoff.ts";
import type { AppendAnswer } from "../client/protocol.ts";
import { type Committed, isUnanswered, producerOf } from "./append-lines.ts";
import type { Progress } from "./progress.ts";
import type { Remote } from "./remote.ts";

/** A request is sent again for so long. */
const RETRY_MS_MAX = 30_000;

/** @param id a producer's: it goes on where that has ended. @throws EvertError; `onCommitted` is told how far it came then */
export async function appendAvroFile(
  remote: Remote,
  topic: string,
  pieces: AsyncIterable<Uint8Array>,
  id: string,
  progress: Progress,
  interrupted: AbortSignal,
  onCommitted: (committed: Committed) => void,
): Promise<Committed> {
  // A server that does not answer this is not waited for, nor a topic that is not there; one that goes away later is.
  await remote.get(`/v1/topics/${encodeURIComponent(topic)}/schemas`);
  const known = await producerOf(remote, id);
  const epoch = known?.epoch ?? 0;
  const before = known?.topics.find((one) => one.topic === topic);
  const passedOver = before === undefined ? 0 : before.seq + 1;
  let first = passedOver;
  let committed: Committed = { count: 0, position: before?.position ?? null };
  onCommitted(committed);
  for await (const part of avroFileParts(pieces, first)) {
    onCommitted({ ...committed, isOpen: true });
    const { position, count } = await sent(remote, topic, part, first, { id, epoch }, interrupted).catch(
      (thrown: unknown) => {
        // It has been refused, and not lost sight of.
        if (!isUnanswered(toEvertError(thrown))) onCommitted(committed);
        throw thrown;
      },
    );
    first += part.count;
    committed = { count: committed.count + count, position };
    onCommitted(committed);
    progress.advance(0, part.count);
  }
  return { ...committed, passedOver };
}

async function sent(
  remote: Remote,
  topic: string,
  { bytes }: FilePart,
  first: number,
  { id, epoch }: { readonly id: string; readonly epoch: number },
  interrupted: AbortSignal,
): Promise<AppendAnswer> {
  const path = `/v1/topics/${encodeURIComponent(topic)}/records?atomic=false&firstLine=${first + 1}`;
  const place = { "Producer-Id": id, "Producer-Epoch": String(epoch), "Producer-Seq": String(first) };
  const since = performance.now();
  for (let attempt = 0; ; attempt++) {
    try {
      return await remote.post<AppendAnswer>(path, "application/avro", bytes, place);
    } catch (thrown) {
      const error = toEvertError(thrown);
      // What was not answered may have been stored: under its number it is not stored again.
      if (!error.retryable || performance.now() - since >= RETRY_MS_MAX || interrupted.aborted) throw error;
      await pause(backoffMs(attempt, 2_000), interrupted);
    }
  }
}
