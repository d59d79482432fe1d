/**
 * What was made of texts that came at least twice, those asked for last: bounded in number and length.
 *
 * Of a text that has come once only its hash is noted, in a table where it overwrites what lies in its place. So statements that differ in a literal,
 * of which none comes again, push nothing out and keep no memory alive.
 */
const TEXTS_MAX = 256;
const TEXT_CHARACTERS_MAX = 4096;
/** Of all texts together: a tree takes some sixty bytes for each. */
const CHARACTERS_MAX = 65_536;
const SEEN = 1024;

export class RepeatedTexts<Made> {
  /** The one asked for last is the last. */
  readonly #kept = new Map<string, Made>();
  readonly #seen = new Int32Array(SEEN);
  #characters = 0;

  get(text: string): Made | undefined {
    const made = this.#kept.get(text);
    if (made === undefined) return undefined;
    this.#kept.delete(text);
    this.#kept.set(text, made);
    return made;
  }

  /** Whether the text has come before, and is worth being kept. It has come from now on. REQUIRES that it is not kept. */
  comesAgain(text: string): boolean {
    if (text.length > TEXT_CHARACTERS_MAX) return false;
    const hash = hashOf(text);
    const place = hash & (SEEN - 1);
    if (this.#seen[place] === hash) return true;
    this.#seen[place] = hash;
    return false;
  }

  keep(text: string, made: Made): void {
    this.#kept.set(text, made);
    this.#characters += text.length;
    for (const [oldest] of this.#kept) {
      if (this.#kept.size <= TEXTS_MAX && this.#characters <= CHARACTERS_MAX) return;
      this.#kept.delete(oldest);
      this.#characters -= oldest.length;
    }
  }
}

/** FNV-1a over UTF-16 units; never 0, which means that nothing was seen. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash === 0 ? 1 : hash | 0;
}
