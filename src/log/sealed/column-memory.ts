/**
 * The memory of decoded blocks: pages before compression, numbers of columns, where commits end. Some 300 KB a block, outside the JavaScript heap,
 * and left to the garbage collector a build over a few million rows makes it mark all of the heap every hundred milliseconds, for nothing but these.
 *
 * So a reader whose caller is done with a group before it asks for the next says when memory is free. Two blocks of a topic are there at a time, the
 * one given out and the one decoded ahead; what belonged to the block before those is used again for the next one, or given back.
 */

/** Of one column. What was there before may still be in it. */
export interface ColumnMemory {
  int32(length: number): Int32Array;
  int64(length: number): BigInt64Array;
  /** Where it is there, integers of 64 bits come as doubles if all of them are exact ones: whoever reads them wants those. */
  doubles?(length: number): Float64Array;
}

export const freshMemory: ColumnMemory = {
  int32: (length) => new Int32Array(length),
  int64: (length) => new BigInt64Array(length),
};

export class ReusedMemory implements ColumnMemory {
  #buffer = new ArrayBuffer(0);

  int32(length: number): Int32Array {
    return new Int32Array(this.#room(length * 4), 0, length);
  }

  int64(length: number): BigInt64Array {
    return new BigInt64Array(this.#room(length * 8), 0, length);
  }

  #room(bytes: number): ArrayBuffer {
    if (this.#buffer.byteLength < bytes) this.#buffer = new ArrayBuffer(bytes);
    return this.#buffer;
  }
}

/** Of one block at a time. */
export class BlockMemory {
  readonly #columns: ColumnMemory[] = [];
  #owned: ArrayBuffer[] = [];

  /** Nobody looks any more at the block that was here: this is for another one now. */
  begin(): void {
    for (const buffer of this.#owned) buffer.transfer(0);
    this.#owned = [];
  }

  column(column: number): ColumnMemory {
    return (this.#columns[column] ??= new ReusedMemory());
  }

  /** Given back when the next block begins. REQUIRES that nobody else has anything in the buffer. */
  own(buffer: ArrayBufferLike): void {
    if (buffer instanceof ArrayBuffer) this.#owned.push(buffer);
  }
}

/** Of all blocks that one reader of the log has decoded, in whichever segments: those of a topic take turns. */
export class ReaderMemory {
  readonly #topics = new Map<number, [BlockMemory, BlockMemory]>();

  next(topicId: number): BlockMemory {
    let pair = this.#topics.get(topicId);
    if (pair === undefined) pair = [new BlockMemory(), new BlockMemory()];
    const [memory, other] = pair;
    this.#topics.set(topicId, [other, memory]);
    memory.begin();
    return memory;
  }
}
