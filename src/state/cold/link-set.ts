/** The ways in which a store's cold rows are found besides their key: links (links.ts) for each list of columns that an index of the store is on. */
import type { Extent } from "./extent.ts";
import type { ColdHost, Pause } from "./host.ts";
import { Links, type MayBe } from "./links.ts";
import { rowBytes } from "./row-bytes.ts";
import type { RowCodec } from "./row-codec.ts";
import { blockIn, hashAt, type Run, readBlocks, rowStart } from "./run.ts";
import type { RunFiles } from "./run-files.ts";

/** Made at once. */
const LINKS_AT_ONCE = 65_536;
const BLOCKS_AT_ONCE = 32;
const ROWS_PER_LOOK = 2_048;

/** Links of rows that are about to go, and the hashes that those are found by. */
export interface Linked {
  readonly links: Links;
  readonly own: Uint32Array;
  readonly run: Run;
}

export class LinkSet {
  readonly #host: ColdHost;
  readonly #files: RunFiles;
  /** Replaced when columns come or go. */
  all: readonly Links[] = [];
  #making: Promise<void> | null = null;

  constructor(host: ColdHost, files: RunFiles) {
    this.#host = host;
    this.#files = files;
  }

  /** In memory. */
  get bytes(): number {
    return this.all.reduce((bytes, links) => bytes + links.bytes, 0);
  }

  get diskBytes(): number {
    return this.all.reduce((bytes, links) => bytes + links.diskBytes, 0);
  }

  /** Of one list of columns, at most. */
  get runs(): number {
    return this.all.reduce((most, { runs }) => Math.max(most, runs.length), 0);
  }

  get isComplete(): boolean {
    for (let i = 0; i < this.all.length; i++) if (!(this.all[i] as Links).isComplete) return false;
    return true;
  }

  /** By which columns rows are found from now on. `isComplete`: there are none yet that would lack links. */
  set(columns: readonly (readonly number[])[], isComplete: boolean): void {
    const before = this.all;
    if (before.length === columns.length && before.every((links, i) => links.isOf(columns[i]!))) return;
    this.all = columns.map((own) => {
      const known = before.find((links) => links.isOf(own));
      if (known !== undefined) return known;
      const links = new Links(this.#host, own, this.#files);
      links.isComplete = isComplete;
      return links;
    });
    for (const links of before) if (!this.all.includes(links)) links.discard();
  }

  by(columns: readonly number[]): Links | null {
    return this.all.find((links) => links.isOf(columns)) ?? null;
  }

  /** Links of the rows in these slots, which are about to go and whose hashes in runs are `hashes`. @throws EvertError disk_full, io_error */
  async ofSlots(slots: Int32Array, hashes: Uint32Array, pause: Pause): Promise<Linked[]> {
    const linked: Linked[] = [];
    try {
      for (const links of this.all) {
        const own = new Uint32Array(slots.length);
        for (let i = 0; i < slots.length; i++) {
          own[i] = links.key.ofSlot(this.#host, slots[i] as number);
          if (i % ROWS_PER_LOOK === ROWS_PER_LOOK - 1) await pause();
        }
        linked.push({ links, own, run: await links.write(own, hashes, slots.length, pause) });
      }
    } catch (error) {
      for (const { run } of linked) run.file.release();
      throw error;
    }
    return linked;
  }

  /**
   * Makes the links that rows lack, of which all are in these extents, or have been. REQUIRES that no row goes out meanwhile, and that their files
   * stay.
   * @throws EvertError disk_full, io_error, log_damaged
   */
  async make(
    extents: () => { readonly all: readonly Extent[]; release(): void },
    codec: RowCodec,
    mayBe: MayBe,
    pause: Pause,
    isOver: () => boolean,
  ): Promise<void> {
    while (this.#making !== null) await this.#making.catch(() => {});
    const lacking = this.all.filter((links) => !links.isComplete);
    if (lacking.length === 0) return;
    const held = extents();
    this.#making = this.#make(lacking, held.all, codec, mayBe, pause, isOver).finally(() => {
      this.#making = null;
      held.release();
    });
    await this.#making;
  }

  async #make(
    lacking: readonly Links[],
    extents: readonly Extent[],
    codec: RowCodec,
    mayBe: MayBe,
    pause: Pause,
    isOver: () => boolean,
  ): Promise<void> {
    const buffer = rowBytes(0);
    const memory = new ArrayBuffer(this.#host.layout.strideWords * 4);
    const row = { I: new Int32Array(memory), F: new Float64Array(memory) };
    const own = lacking.map(() => new Uint32Array(LINKS_AT_ONCE));
    const rows = new Uint32Array(LINKS_AT_ONCE);
    let count = 0;
    const put = async (): Promise<void> => {
      for (const [i, links] of lacking.entries()) {
        links.add(await links.write(own[i]!, rows, count, pause));
        await links.merge(Number.POSITIVE_INFINITY, mayBe, pause, isOver);
      }
      count = 0;
    };
    for (const extent of extents) {
      for (let from = 0; from < extent.blocks; from += BLOCKS_AT_ONCE) {
        const words = await readBlocks(extent, from, Math.min(extent.blocks, from + BLOCKS_AT_ONCE), buffer);
        for (let at = 0; at < words; ) {
          const block = blockIn(extent, buffer, at, words - at);
          for (let i = 0; i < block.rows; i++) {
            codec.decode(buffer, rowStart(block, i), row, 0);
            rows[count] = hashAt(block, i);
            for (let l = 0; l < lacking.length; l++)
              (own[l] as Uint32Array)[count] = (lacking[l] as Links).key.ofSlot(row, 0);
            if (++count === LINKS_AT_ONCE) await put();
          }
          at = block.end;
        }
        await pause();
        if (isOver()) return;
      }
    }
    if (count > 0) await put();
    for (const links of lacking) links.isComplete = true;
  }

  /** No row is cold any more. */
  clear(): void {
    for (const links of this.all) links.clear();
  }

  discard(): void {
    for (const links of this.all) links.discard();
  }
}
