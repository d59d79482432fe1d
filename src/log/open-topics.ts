/**
 * The topics that rows are staged in. Each is opened by its first row and stays open, with its memory, for the groups to come, until it has a newer
 * schema or is gone. Beside them, where each topic of the log ends.
 */
import { Arena } from "../base/arena.ts";
import { ById } from "../base/by-id.ts";
import { RowBuffer, RowWriters } from "../batch/row-bytes.ts";
import type { Position } from "./log.ts";
import type { TopicSource } from "./open-group.ts";
import { type GroupMemory, OpenTopic } from "./open-topic.ts";
import type { TopicRegistry } from "./topics.ts";

export class OpenTopics implements TopicSource {
  readonly #registry: TopicRegistry;
  readonly #open = new ById<OpenTopic>();
  /** Ends of topics with staged commits counted in, but for those that are open, which know their own. */
  readonly #ends: Map<number, number>;
  readonly #rowWriters = new RowWriters();
  readonly #memory: GroupMemory = { arena: new Arena(), rows: new RowBuffer() };

  constructor(registry: TopicRegistry, ends: Map<number, number>) {
    this.#registry = registry;
    this.#ends = ends;
  }

  /** The offset of the topic's next row. */
  end(topicId: number): number {
    return this.#open.get(topicId)?.end ?? this.#ends.get(topicId) ?? 0;
  }

  openTopic(topicId: number): OpenTopic {
    let open = this.#open.get(topicId);
    if (open === undefined) {
      const topic = this.#registry.newest(topicId);
      const end = this.#ends.get(topicId) ?? 0;
      open = new OpenTopic(topic, this.#rowWriters.for(topic.schema), end, this.#memory);
      this.#open.set(topicId, open);
    }
    return open;
  }

  /** Whether the topic has rows in the group that begins there, or had some that were taken back. */
  isIn(topicId: number, group: Position): boolean {
    return this.#open.get(topicId)?.group === group;
  }

  /** Lets go of what was kept for the topic; its next row opens it anew. REQUIRES that no commit is being staged. */
  close(topicId: number): void {
    const open = this.#open.get(topicId);
    if (open === undefined) return;
    this.#open.delete(topicId);
    this.#ends.set(topicId, open.end);
  }
}
