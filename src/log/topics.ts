/** What the catalog has told the log: how to encode and decode each topic's rows, one schema per version. */
import { EvertError } from "../base/errors.ts";
import { Evolution } from "./evolution.ts";
import type { LogTopic } from "./log.ts";

export class TopicRegistry {
  readonly #newest = new Map<number, LogTopic>();
  readonly #versions = new Map<number, Map<number, LogTopic>>();
  /** From a version's schema to the newest; forgotten when there is a newer. */
  readonly #evolutions = new Map<LogTopic, Evolution>();

  /** Told of each as it comes. Set by who passes them on. */
  registered: (topic: LogTopic) => void = () => {};
  /** How many schemas have been registered. */
  count = 0;

  register(topic: LogTopic): void {
    let versions = this.#versions.get(topic.topicId);
    if (versions === undefined) this.#versions.set(topic.topicId, (versions = new Map()));
    versions.set(topic.schemaVersion, topic);
    this.count++;
    this.registered(topic);
    const newest = this.#newest.get(topic.topicId);
    if (newest === undefined || topic.schemaVersion >= newest.schemaVersion) {
      this.#newest.set(topic.topicId, topic);
      for (const older of versions.values()) this.#evolutions.delete(older);
    }
  }

  /**
   * How rows of that version become rows of the newest; null: they are, or it is not said which columns are the same. @throws EvertError
   * undefined_object.
   */
  evolution(topicId: number, schemaVersion: number): Evolution | null {
    const newest = this.newest(topicId);
    if (newest.schemaVersion === schemaVersion || newest.columnIds === undefined) return null;
    const from = this.version(topicId, schemaVersion);
    let evolution = this.#evolutions.get(from);
    if (evolution === undefined) this.#evolutions.set(from, (evolution = new Evolution(from, newest)));
    return evolution;
  }

  /** Whether a topic that is known has not been told of this schema yet, nor of a later one: a copy that takes over a segment steps to it first. */
  isAhead(topicId: number, schemaVersion: number): boolean {
    const newest = this.#newest.get(topicId);
    return newest !== undefined && schemaVersion > newest.schemaVersion;
  }

  /**
   * The last schema version in which a topic's records can be read. What lies in a later one is yet to be stepped to, by a copy that has taken it
   * over.
   */
  readableTo(topicId: number): number {
    return (
      (this.takesOver() ? this.#newest.get(topicId)?.schemaVersion : undefined) ?? Number.POSITIVE_INFINITY
    );
  }

  /** Every schema of every topic, those of one topic in the order in which they were registered. */
  *all(): Generator<LogTopic> {
    for (const versions of this.#versions.values()) yield* versions.values();
  }

  /** What appends are encoded with. @throws EvertError undefined_object. */
  newest(topicId: number): LogTopic {
    return this.#newest.get(topicId) ?? notRegistered(`topic ${topicId}`);
  }

  /** Whether definitions may have been lost with commits of the catalog: then rows may be there that nobody can read. Set by the log. */
  lacksDefinitions: () => boolean = () => false;

  /** Whether segments are taken over whole, before what they define is known. Set by the log. */
  takesOver: () => boolean = () => false;

  /** Whether rows of that version are to be read. False: their definition was lost, and they are left out as those of a dropped topic are. */
  canRead(topicId: number, schemaVersion: number): boolean {
    return this.find(topicId, schemaVersion) !== null || !this.lacksDefinitions();
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
    hint: "Register every topic before its first append or read.",
  });
}
