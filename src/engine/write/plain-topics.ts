/**
 * Topics whose records are staged as they are given: no schema of the program and no default has a say in them. Most are such, and most appends name
 * one that was named before.
 *
 * Found with one look, by the very text that the caller names it by: the catalog, the program's topics and the defaults each know a topic by a name
 * or an object of their own, and of a thousand topics by turns none of that is at hand.
 */
import type { EngineCatalog, TopicEntry } from "../catalog/catalog.ts";
import { rowBytesOf } from "./part.ts";

interface PlainTopic {
  readonly topic: TopicEntry;
  readonly rowBytes: number;
}

export class PlainTopics {
  readonly #catalog: EngineCatalog;
  readonly #byName = new Map<string, PlainTopic>();
  /** What the catalog was when they were noted. */
  #asOf = -1;

  constructor(catalog: EngineCatalog) {
    this.#catalog = catalog;
  }

  /** undefined: it is none, or nobody has asked since the catalog was changed. */
  find(name: string): PlainTopic | undefined {
    return this.#asOf === this.#catalog.changes ? this.#byName.get(name) : undefined;
  }

  /** REQUIRES that it is what the catalog has under the name by now. */
  note(name: string, topic: TopicEntry): void {
    const { changes } = this.#catalog;
    if (this.#asOf !== changes) this.clear();
    this.#asOf = changes;
    this.#byName.set(name, { topic, rowBytes: rowBytesOf(topic) });
  }

  /** What makes them plain has changed. */
  clear(): void {
    this.#byName.clear();
  }
}
