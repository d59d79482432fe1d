/**
 * Key indexes of large tables made in a thread beside this one, while a start reads the dictionary and puts the rows in their places
 * (state/key-lines.ts). Where there is no such thread, or it fails, they are made here, after the rows.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type Disk, joinPath } from "../../base/disk.ts";
import { toEvertError } from "../../base/errors.ts";
import { threadFile } from "../../base/thread-file.ts";
import { tableIdentity, tableRowsPart } from "../../dataflow/operators/table.ts";
import type { HandedLines } from "../../state/bucket-lines.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { hasCanonicalForm } from "../../state/equality.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import type { KeyLinesSpec } from "../../state/key-lines.ts";
import type { Store } from "../../state/store.ts";
import type { EngineCatalog, TopicEntry } from "../catalog/catalog.ts";
import { layoutOf, type Placed, placedOf } from "../evolution/evolved.ts";
import type { Manifest } from "./checkpointing.ts";

/** From so many slots on: below, the index is there before a thread has started. */
export const ELSEWHERE_SLOTS_MIN: number = 1 << 19;

/** Of all state, the part that the thread may take beside it. */
const MEMORY_PART = 8;
/** What it takes of each slot. */
const SLOT_BYTES = 5;

const file = threadFile("./indexing-thread.ts", import.meta.url);

/** `stores`: by place in the manifest; null: nothing is to be made for it. */
export interface IndexingRequest {
  readonly path: string;
  readonly ranges: readonly { readonly from: number; readonly to: number }[];
  readonly stores: readonly (KeyLinesSpec | null)[];
}

export interface IndexingOptions {
  readonly catalog: EngineCatalog;
  readonly dictionary: Dictionary;
  /** What all state may take. */
  readonly memoryBytes: number;
  readonly report: (message: string) => void;
}

/** By place. */
export type MadeLines = readonly (HandedLines | null)[];

export class Indexing {
  readonly #stores: IndexingRequest["stores"];
  readonly #thread: Worker;
  readonly #lines: Promise<MadeLines | null>;
  #hasEnded = false;

  /** Null where it is not worth a thread, no thread finds the files, or none can be started. */
  static of(
    disk: Disk,
    directory: string,
    manifest: Manifest,
    { catalog, dictionary, memoryBytes, report }: IndexingOptions,
  ): Indexing | null {
    if (disk.hasPaths !== true || availableParallelism() < 2) return null;
    const stores = largeTables(manifest, catalog, dictionary);
    const slots = stores.reduce((sum, spec) => sum + (spec?.slots ?? 0), 0);
    if (slots === 0 || slots * SLOT_BYTES > memoryBytes / MEMORY_PART) return null;
    const ranges = manifest.sections.map(({ rows, to }) => ({ from: rows, to }));
    try {
      return new Indexing({ path: joinPath(directory, manifest.file), ranges, stores }, report);
    } catch (error) {
      report(told(error));
      return null;
    }
  }

  private constructor(request: IndexingRequest, report: (message: string) => void) {
    this.#stores = request.stores;
    this.#thread = new Worker(file, { workerData: request });
    this.#lines = new Promise((resolve) => {
      this.#thread.once("message", (lines: MadeLines) => resolve(lines));
      const failed = (error: unknown): void => {
        if (!this.#hasEnded) report(told(error));
        this.#hasEnded = true;
        resolve(null);
      };
      this.#thread.once("messageerror", failed);
      this.#thread.once("error", failed);
      // Once it has told what it has made, nothing is said of its end.
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
    this.#hasEnded = true;
    void this.#thread.terminate();
  }
}

/** What the rows of a table are called in checkpoints. */
export function tableRowsId(entry: TopicEntry): string {
  return `${tableIdentity(entry.id)} / ${tableRowsPart(layoutOf(entry))}`;
}

/** By place in the manifest. */
function largeTables(
  { stores }: Manifest,
  catalog: EngineCatalog,
  dictionary: Dictionary,
): (KeyLinesSpec | null)[] {
  const tables = new Map(catalog.allTopics().map((entry) => [tableRowsId(entry), entry]));
  return stores.map((s) => {
    if (s === null || s.slots < ELSEWHERE_SLOTS_MIN) return null;
    const entry = tables.get(s.id);
    if (entry === undefined || entry.key === null) return null;
    const { schema, key } = placedOf(entry) as Placed & { readonly key: readonly number[] };
    const columns = schema.fields;
    // Where rows are on disk, the index is needed to bring them back; where values have several forms, the dictionary is.
    const isPlain = key.every((c) => !hasCanonicalForm(dictionary, columns[c]!.type));
    if (!isPlain || (s.runs ?? []).length > 0) return null;
    const { name } = entry;
    return { name, columns: columns.map(({ type, nullable }) => ({ type, nullable })), slots: s.slots, key };
  });
}

function told(error: unknown): string {
  return `key indexes are made behind the rows, not beside them: ${toEvertError(error).message}`;
}
