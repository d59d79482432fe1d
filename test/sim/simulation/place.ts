/** What is known of one data directory: where the stream that forgets begins in it, and what was erased from its files. Each copy of a log has its own. */
import { encodeUtf8 } from "../../../src/base/bytes.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { filesWith } from "../../support/raw-files.ts";
import { type Commit, Violation } from "./commits.ts";
import type { TopicName } from "./topics.ts";

/** All that there was of a key, up to a position. */
export interface ErasedKey {
  readonly topic: TopicName;
  readonly key: unknown;
  readonly to: number;
}

export class Place {
  /** Where the stream begins, as last told. */
  #start = 0;
  readonly #erased: ErasedKey[] = [];
  /** Texts of erased rows, which nobody has written since; and where some were found all the same. */
  readonly #texts = new Set<string>();
  readonly #suspects: { readonly text: string; readonly paths: readonly string[] }[] = [];

  begins(start: number): void {
    if (start < this.#start)
      throw new Violation(`old begins at ${start}, and has been said to begin at ${this.#start}`);
    this.#start = start;
  }

  get erasedKeys(): readonly ErasedKey[] {
    return this.#erased;
  }

  /** None of these rows is there any more; in `history` they are. */
  erased(one: ErasedKey, history: readonly Commit[]): void {
    this.#erased.push(one);
    for (const text of textsOf(history, one)) this.#texts.add(text);
  }

  #isErased(topic: TopicName, key: unknown, position: number): boolean {
    return this.#erased.some((e) => e.topic === topic && e.key === key && position <= e.to);
  }

  /** What was erased is not in the log. @throws Violation */
  check(read: readonly Commit[]): void {
    if (this.#erased.length === 0) return;
    for (const { position, records } of read) {
      for (const { topic, key } of records)
        if (this.#isErased(topic, key, position))
          throw new Violation(`${key} of ${topic} was erased, and is there at ${position}`);
    }
  }

  /** Looks for erased texts in all files. Whether one that is found may be there shows when the oracle has seen what has been written since. */
  async suspect(disk: SimulatedDisk): Promise<void> {
    for (const text of this.#texts) {
      const found = await filesWith(disk.clone({ seed: 1 }), encodeUtf8(text));
      const paths = found.filter((path) => path.startsWith("/data/") && !path.startsWith("/data/diverged-"));
      if (paths.length > 0) this.#suspects.push({ text, paths });
    }
  }

  /** What was found, and nobody has written again. @throws Violation */
  judge(history: readonly Commit[]): void {
    if (this.#texts.size === 0) return;
    const written = new Set<unknown>();
    for (const { position, records } of history)
      for (const { topic, key, value } of records)
        if (!this.#isErased(topic, key, position))
          written.add((value as { note?: string | null } | null)?.note);
    for (const text of [...this.#texts]) if (written.has(text)) this.#texts.delete(text);
    for (const { text, paths } of this.#suspects)
      if (this.#texts.has(text))
        throw new Violation(`${JSON.stringify(text)} was erased, and is in ${paths}`);
    this.#suspects.length = 0;
  }
}

/** The texts of the key's rows that no other row has. */
function textsOf(history: readonly Commit[], { topic, key, to }: ErasedKey): string[] {
  const own = new Set<string>();
  const others = new Set<string>();
  for (const { position, records } of history)
    for (const { topic: of, key: its, value } of records) {
      const note = (value as { note?: string | null } | null)?.note;
      if (note == null) continue;
      if (of === topic && its === key && position <= to) own.add(note);
      else others.add(note);
    }
  return [...own].filter((note) => !others.has(note));
}
