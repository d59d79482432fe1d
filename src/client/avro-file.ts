/** An Avro object container file as it arrives, cut into whole files of some blocks each: what one request takes. */
import { EvertError } from "../base/errors.ts";
import { blockAt, type ContainerHead, readHead } from "../wire/avro/container.ts";

/** A part of some blocks; one of a single block may be longer. */
const PART_BYTES = 1 << 20;
/** A head or a block is not waited for beyond this: the server refuses it. */
const WHOLE_BYTES_MAX = 65 << 20;

export interface FilePart {
  /** A file of its own. */
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** Without the first `skip` records, which are whole blocks. @throws EvertError for what is no such file, and conflict where they are none. */
export async function* avroFileParts(
  pieces: AsyncIterable<Uint8Array>,
  skip = 0,
): AsyncGenerator<FilePart, void, undefined> {
  let bytes: Uint8Array = new Uint8Array(0);
  let head: { readonly parsed: ContainerHead; readonly bytes: Uint8Array } | null = null;
  // Whole blocks at the front, and their records.
  let at = 0;
  let count = 0;
  let left = skip;
  const part = (): FilePart => {
    const made = { bytes: joined((head as NonNullable<typeof head>).bytes, bytes.subarray(0, at)), count };
    bytes = bytes.subarray(at);
    at = 0;
    count = 0;
    return made;
  };
  function* parts(ended: boolean): Generator<FilePart, void, undefined> {
    const last = ended || bytes.length - at > WHOLE_BYTES_MAX;
    if (head === null) {
      const parsed = wholeOf(() => readHead(bytes), last);
      if (parsed === null) return;
      head = { parsed, bytes: bytes.slice(0, parsed.end) };
      bytes = bytes.subarray(parsed.end);
    }
    const { parsed } = head;
    while (at < bytes.length) {
      const block = wholeOf(() => blockAt(parsed, bytes, at), last);
      if (block === null) return;
      if (left > 0) {
        if (block.count > left) throw otherBlocks(skip);
        left -= block.count;
        bytes = bytes.subarray(block.end);
        continue;
      }
      at = block.end;
      count += block.count;
      if (at >= PART_BYTES) yield part();
    }
  }
  for await (const piece of pieces) {
    bytes = joined(bytes, piece);
    yield* parts(false);
  }
  yield* parts(true);
  if (left > 0) throw otherBlocks(skip);
  if (count > 0) yield part();
}

function otherBlocks(skip: number): EvertError {
  return new EvertError("conflict", `no block of the file ends behind its first ${skip} records`, {
    detail: "So many are stored of it; a block is sent as a whole.",
    hint: "Is it the file that was begun with? One that has grown has its blocks where they were.",
  });
}

/** Null: more of it may come. */
function wholeOf<T>(read: () => T, last: boolean): T | null {
  try {
    return read();
  } catch (error) {
    if (last) throw error;
    return null;
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
