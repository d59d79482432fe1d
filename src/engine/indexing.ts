/**
 * Key indexes of large tables made in a thread beside this one, while a start reads the dictionary and puts the rows in their places (state/key-lines.ts). Where
 * there is no such thread, or it fails, they are made here, after the rows.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type Disk, joinPath } from "../base/disk.ts";
import { tableIdentity } from "../dataflow/operators/table.ts";
import type { HandedLines } from "../state/bucket-lines.ts";
import type { Dictionary } from "../state/dictionary.ts";
import { hasCanonicalForm } from "../state/equality.ts";
import type { HashIndex } from "../state/hash-index.ts";
import type { KeyLinesSpec } from "../state/key-lines.ts";
import type { Store } from "../state/store.ts";
import type { EngineCatalog } from "./catalog.ts";
import type { Manifest } from "./checkpointing.ts";

/** From so many slots on: below, the index is there before a thread has started. */
export const ELSEWHERE_SLOTS_MIN: number = 1 << 19;

/** Beside this file, in the source and in the package. */
const file = new URL(
  import.meta.url.endsWith(".ts") ? "./indexing-thread.ts" : "./indexing-thread.js",
  import.meta.url,
);

/** `stores`: by place in the manifest; null: nothing is to be made for it. */
export interface IndexingRequest {
  readonly path: string;
  readonly ranges: readonly { readonly from: number; readonly to: number }[];
  readonly stores: readonly (KeyLinesSpec | null)[];
}

/** By place. */
export type MadeLines = readonly (HandedLines | null)[];

export class Indexing {
  readonly #stores: IndexingRequest["stores"];
  readonly #thread: Worker;
  readonly #lines: Promise<MadeLines | null>;

  /** Null where it is not worth a thread, or no thread finds the files. */
  static of(
    disk: Disk,
    directory: string,
    manifest: Manifest,
    catalog: EngineCatalog,
    dictionary: Dictionary,
  ): Indexing | null {
    if (disk.hasPaths !== true || availableParallelism() < 2) return null;
    const stores = largeTables(manifest, catalog, dictionary);
    if (stores.every((spec) => spec === null)) return null;
    const ranges = manifest.sections.map(({ rows, to }) => ({ from: rows, to }));
    return new Indexing({ path: joinPath(directory, manifest.file), ranges, stores });
  }

  private constructor(request: IndexingRequest) {
    this.#stores = request.stores;
    this.#thread = new Worker(file, { workerData: request });
    this.#lines = new Promise((resolve) => {
      this.#thread.once("message", resolve);
      // Whatever it failed at is done again, and told of, by this thread.
      this.#thread.once("messageerror", () => resolve(null));
      this.#thread.once("error", () => resolve(null));
      this.#thread.once("exit", () => resolve(null));
    });
  }

  /** The index of the store at a place that is made elsewhere. */
  indexOf(place: number, { hashIndexes }: Store): HashIndex | null {
    const key = this.#stores[place]?.key;
    if (key === undefined) return null;
    const isKey = ({ columns, unique, exact }: HashIndex["spec"]): boolean =>
      unique && exact !== true && columns.length === key.length && columns.every((c, i) => c === key[i]);
    return hashIndexes.find(({ spec }) => isKey(spec)) ?? null;
  }

  /** Null: they could not be made. */
  lines(): Promise<MadeLines | null> {
    return this.#lines;
  }

  /** Nobody waits for it any more. */
  end(): void {
    void this.#thread.terminate();
  }
}

/** By place in the manifest. */
function largeTables(
  { stores }: Manifest,
  catalog: EngineCatalog,
  dictionary: Dictionary,
): (KeyLinesSpec | null)[] {
  const tables = new Map(catalog.topics().map((entry) => [`${tableIdentity(entry.id)} / rows`, entry]));
  return stores.map((s) => {
    if (s === null || s.slots < ELSEWHERE_SLOTS_MIN) return null;
    const entry = tables.get(s.id);
    if (entry === undefined || entry.key === null) return null;
    const columns = entry.schema.fields;
    // Where rows are on disk, the index is needed to bring them back; where values have several forms, the dictionary is.
    const isPlain = entry.key.every((c) => !hasCanonicalForm(dictionary, columns[c]!.type));
    if (!isPlain || (s.runs ?? []).length > 0) return null;
    const { name, key } = entry;
    return { name, columns: columns.map(({ type, nullable }) => ({ type, nullable })), slots: s.slots, key };
  });
}
