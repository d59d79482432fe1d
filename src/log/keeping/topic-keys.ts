/** A topic's rows in a sealed segment, with their keys: what a pass looks at. */
import type { DiskFile } from "../../base/disk.ts";
import { systemSlices } from "../../base/slices.ts";
import type { Batch } from "../../batch/batch.ts";
import { typeToString } from "../../batch/types.ts";
import { type LogTopic, OP_DELETE } from "../log.ts";
import { turnsOfItsOwn } from "../pause.ts";
import { BlockReader, type LoadedBlock } from "../sealed/block-reader.ts";
import type { Pause } from "../sealed/block-writer.ts";
import type { SealedSegment } from "../sealed/sealed-segment.ts";
import type { TopicRegistry } from "../topics.ts";
import { KeyDigest } from "./key-digest.ts";

/** Called with each row's key, which is good until the next. */
export type EachRow = (block: LoadedBlock, row: number, digest: Int32Array, isDelete: boolean) => void;

/** How the keys of a topic's rows are told in all its schema versions; null: they cannot be compared, or not all versions are known. */
export function keysOf(
  registry: TopicRegistry,
  topicId: number,
  schemaVersions: Iterable<number>,
): TopicKeys | null {
  const versions = new Map<number, VersionKeys>();
  let kinds: string | null = null;
  for (const version of schemaVersions) {
    const topic = registry.find(topicId, version);
    if (topic?.keyColumns === undefined) return null;
    const types = topic.keyColumns.map((k) => topic.schema.fields[k]!.type);
    const kind = types.map((type) => (isInteger(type.name) ? "integer" : typeToString(type))).join();
    if (kinds !== null && kind !== kinds) return null;
    kinds = kind;
    versions.set(version, { topic, columns: topic.keyColumns, digest: new KeyDigest(types) });
  }
  return new TopicKeys(topicId, versions);
}

interface VersionKeys {
  readonly topic: LogTopic;
  readonly columns: readonly number[];
  readonly digest: KeyDigest;
}

export class TopicKeys {
  readonly topicId: number;
  readonly #versions: ReadonlyMap<number, VersionKeys>;

  constructor(topicId: number, versions: ReadonlyMap<number, VersionKeys>) {
    this.topicId = topicId;
    this.#versions = versions;
  }

  /** Of a row of that version; of it the key's columns count. */
  digestOf(schemaVersion: number, { columns }: Batch): Int32Array {
    const { columns: keyColumns, digest } = this.#versions.get(schemaVersion)!;
    digest.take(
      keyColumns.map((k) => columns[k]!),
      0,
    );
    return digest.words.slice();
  }

  /** The rows of a block, in their order. REQUIRES a version that the keys were made for. */
  async eachRow(block: LoadedBlock, pause: Pause, each: EachRow): Promise<void> {
    const { columns, digest } = this.#versions.get(block.run.schemaVersion)!;
    const keys = columns.map((k) => block.batch.columns[k]!);
    const { length } = block.batch;
    for (let row = 0; row < length; ) {
      const from = row;
      for (const end = Math.min(length, row + ROWS_AT_ONCE); row < end; row++) {
        digest.take(keys, row);
        each(block, row, digest.words, block.ops?.[row] === OP_DELETE);
      }
      await pause((row - from) * KEY_BYTES);
    }
  }

  /** The topic's blocks in the segment: their keys alone. */
  async *blocks(
    file: DiskFile,
    segment: SealedSegment,
    registry: TopicRegistry,
  ): AsyncGenerator<LoadedBlock, void, undefined> {
    const columns = new Set([...this.#versions.values()].flatMap((version) => version.columns));
    yield* blocksOf(file, segment, registry, this.topicId, columns);
  }
}

/** The topic's blocks in the segment; `columns` null: whole. */
export async function* blocksOf(
  file: DiskFile,
  segment: SealedSegment,
  registry: TopicRegistry,
  topicId: number,
  columns: ReadonlySet<number> | null,
): AsyncGenerator<LoadedBlock, void, undefined> {
  const reader = await BlockReader.open(file, segment, registry, {
    topicId,
    fromPosition: 0,
    fromOffset: 0,
    toPosition: segment.lastPosition,
    columns,
    ranges: [],
    asWritten: true,
    pause: turnsOfItsOwn(systemSlices),
    memory: null,
  });
  try {
    while (reader.peek() !== null) yield await reader.take();
  } finally {
    await reader.settle();
  }
}

/** What looking at a row's key counts as, in bytes of other work: a long one is digested, in about a microsecond. */
const KEY_BYTES = 64;
const ROWS_AT_ONCE = 1024;

function isInteger(name: string): boolean {
  return name === "int2" || name === "int4" || name === "int8";
}
