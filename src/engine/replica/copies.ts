/**
 * How far followers have come, and what that asks of their leader.
 *
 * Deletes of a compacted table go some time after what they deleted. A follower that has such a row, and never gets the delete, would keep it for
 * ever. So
 *
 * - while a follower is connected, and an hour longer, deletes behind its position stay (copiedTo());
 * - a follower is *whole* if that has held since it began, empty, or since it last had everything. Whoever is not is refused where deletes behind its
 *   position have gone;
 * - what is erased does not wait for anybody: who has something and has not come so far is whole no more, nor who is sent something while it is being
 *   erased. One that has nothing yet lacks nothing. And deletes that a follower has in a part of a segment go when the whole segment takes that
 *   part's place: it has not come so far either.
 */

/** How long deletes stay for a follower that has gone. */
const KEPT_MS = 3_600_000;
/** Of followers that have gone. */
const KEPT_MAX = 64;

interface Copy {
  /** What it has, as far as it has told. */
  position: number;
  /** It may have so much. */
  sent: number;
  isWhole: boolean;
  /** When it has come so far it is whole; null: it has not been sent everything yet. */
  wholeAt: number | null;
  /** Null: it is connected. */
  leftMs: number | null;
}

export class Copies {
  readonly #nowMs: () => number;
  /** Up to where whoever has so much has whole segments. */
  readonly #segmentsTo: (position: number) => number;
  readonly #copies = new Map<string, Copy>();
  /** What is being erased: deletes up to there are going. */
  readonly #erasures = new Set<{ readonly to: number }>();
  /** How often something was erased. */
  erased = 0;
  /** Deletes up to there have gone with it. */
  #erasedTo = 0;

  constructor(nowMs: () => number, segmentsTo: (position: number) => number) {
    this.#nowMs = nowMs;
    this.#segmentsTo = segmentsTo;
  }

  /** Whether a follower that comes with so much has missed no delete up to there, nor will. */
  comesWhole(id: string, position: number): boolean {
    this.#forget();
    const known = this.#copies.get(id);
    return position === 0 || (known?.isWhole === true && known.position <= position);
  }

  /** From now on deletes behind the position stay. */
  came(id: string, position: number): void {
    const isWhole = this.comesWhole(id, position);
    this.#copies.delete(id);
    this.#copies.set(id, { position, sent: position, isWhole, wholeAt: null, leftMs: null });
  }

  isWhole(id: string): boolean {
    return this.#copies.get(id)?.isWhole === true;
  }

  left(id: string): void {
    const copy = this.#copies.get(id);
    if (copy === undefined) return;
    copy.leftMs = this.#nowMs();
    const gone = [...this.#copies].filter(([, { leftMs }]) => leftMs !== null);
    for (const [other] of gone.slice(0, -KEPT_MAX)) this.#copies.delete(other);
  }

  told(id: string, position: number): void {
    const copy = this.#copies.get(id);
    if (copy === undefined) return;
    copy.position = Math.max(copy.position, position);
    if (copy.wholeAt !== null && copy.position >= copy.wholeAt) copy.isWhole = true;
  }

  /**
   * It is sent what there is up to the position: rows whose deletes are going, perhaps, or have gone since these were read. `erased`: what that was
   * before.
   */
  sent(id: string, position: number, erased: number): void {
    const copy = this.#copies.get(id);
    if (copy === undefined) return;
    copy.sent = position;
    for (const { to } of this.#erasures) this.#misses(copy, to);
    if (erased !== this.erased) this.#misses(copy, this.#erasedTo);
  }

  /** It has been sent everything there is, up to the position. */
  sentAll(id: string, position: number): void {
    const copy = this.#copies.get(id);
    if (copy === undefined || copy.isWhole) return;
    copy.wholeAt ??= position;
    this.told(id, copy.position);
  }

  /** While this is done, deletes up to the position go, whoever has not got them. */
  async erasing(to: number, done: () => Promise<void>): Promise<void> {
    const erasure = { to };
    this.#erasures.add(erasure);
    for (const copy of this.#copies.values()) this.#misses(copy, to);
    try {
      await done();
    } finally {
      this.#erasures.delete(erasure);
      this.erased++;
      this.#erasedTo = Math.max(this.#erasedTo, to);
    }
  }

  /** The position that all have come to. */
  copiedTo(): number {
    this.#forget();
    let least = Number.POSITIVE_INFINITY;
    for (const { position } of this.#copies.values()) least = Math.min(least, position);
    return least;
  }

  #forget(): void {
    const before = this.#nowMs() - KEPT_MS;
    for (const [id, { leftMs }] of this.#copies)
      if (leftMs !== null && leftMs < before) this.#copies.delete(id);
  }

  /** Deletes up to the position are going. */
  #misses(copy: Copy, to: number): void {
    if (copy.sent === 0 || this.#segmentsTo(copy.position) >= to) return;
    copy.isWhole = false;
    copy.wholeAt = null;
  }
}
