/**
 * Schemas that writers of a topic have registered: what a number stands for in what they send.
 *
 * Each is a row of the table evert_schemas, in a commit of its own, and never goes: numbers count up from 1, and whoever has one may come back with
 * it at any time, also where the topic is gone. Memory holds the same, as of the newest commit staged; it is made from the table at the start. What
 * the texts say is for the edge that speaks their language.
 */
import { assert } from "../../base/assert.ts";
import type { Log } from "../../log/log.ts";
import type { Store } from "../../state/store.ts";
import type { RegisteredSchema } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import { TableRows } from "../write/table-rows.ts";
import { SCHEMAS_ENTRY } from "./own-tables.ts";
import type { Rider } from "./rider.ts";

export class Schemas {
  readonly #log: Log;
  readonly #byId = new Map<number, RegisteredSchema>();
  #lastId = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Takes what the table says, as of an epoch. REQUIRES that nothing has been staged behind it. */
  async load(store: Store, epoch: number): Promise<void> {
    const loaded: RegisteredSchema[] = [];
    for await (const rows of new TableRows(SCHEMAS_ENTRY, store, []).all(epoch)) {
      for (const [id, topicId, , text, position] of rows)
        loaded.push({
          id: Number(id),
          topicId: Number(topicId),
          text: text as string,
          position: String(position),
        });
    }
    this.#byId.clear();
    this.#lastId = 0;
    for (const schema of loaded.sort((a, b) => a.id - b.id)) this.#keep(schema);
  }

  /** In the order of their numbers, which is that of their positions. */
  all(): RegisteredSchema[] {
    return [...this.#byId.values()];
  }

  /** For a commit that registers it; a text that the topic has is known by then. */
  registers(topic: TopicEntry, text: string): Rider {
    let made: RegisteredSchema | null = null;
    return {
      known: () => {
        const known = this.find(topic, text);
        return known === undefined ? null : { position: Number(known.position), ranges: [] };
      },
      stage: (position) => {
        const id = this.#lastId + 1;
        made = { id, topicId: topic.id, text, position: String(position) };
        const registered_at = new Date(this.#log.nowUs() / 1000);
        const row = { id, topic_id: topic.id, topic: topic.name, schema: text, position, registered_at };
        return [{ topic: SCHEMAS_ENTRY, op: "upsert", rows: [row], path: SCHEMAS_ENTRY.name }];
      },
      staged: () => {
        assert(made !== null, "a schema is staged before it has been registered");
        this.#keep(made);
      },
    };
  }

  find(topic: TopicEntry, text: string): RegisteredSchema | undefined {
    return this.all().find((known) => known.topicId === topic.id && known.text === text);
  }

  #keep(schema: RegisteredSchema): void {
    this.#byId.set(schema.id, schema);
    this.#lastId = schema.id;
  }
}
