/** What the catalog has told the log: how to encode and decode each topic's rows, one schema per version. */
import { EvertError } from "../base/errors.ts";
import type { LogTopic } from "./log.ts";

export class TopicRegistry {
  readonly #newest = new Map<number, LogTopic>();
  readonly #versions = new Map<number, Map<number, LogTopic>>();

  register(topic: LogTopic): void {
    let versions = this.#versions.get(topic.topicId);
    if (versions === undefined) this.#versions.set(topic.topicId, (versions = new Map()));
    versions.set(topic.schemaVersion, topic);
    const newest = this.#newest.get(topic.topicId);
    if (newest === undefined || topic.schemaVersion >= newest.schemaVersion)
      this.#newest.set(topic.topicId, topic);
  }

  /** What appends are encoded with. @throws EvertError undefined_object. */
  newest(topicId: number): LogTopic {
    return this.#newest.get(topicId) ?? notRegistered(`topic ${topicId}`);
  }

  /** Null for a topic nobody registered. */
  newestVersion(topicId: number): number | null {
    return this.#newest.get(topicId)?.schemaVersion ?? null;
  }

  /** Null for a version nobody registered. */
  find(topicId: number, schemaVersion: number): LogTopic | null {
    return this.#versions.get(topicId)?.get(schemaVersion) ?? null;
  }

  /** What rows of that version are decoded with. @throws EvertError undefined_object. */
  version(topicId: number, schemaVersion: number): LogTopic {
    return (
      this.find(topicId, schemaVersion) ??
      notRegistered(`schema version ${schemaVersion} of topic ${topicId}`)
    );
  }
}

function notRegistered(what: string): never {
  throw new EvertError("undefined_object", `${what} is not known to the log`, {
    hint: "register every topic before its first append or read",
  });
}
