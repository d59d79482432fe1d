/** What writers ask for: a number for their schema. */
import type { RegisteredSchema } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { Core } from "../core.ts";
import { toldDurably } from "./own-rows.ts";

/** Registers it, or finds that it is. The same topic and text again: the same answer. */
export async function registerSchema(core: Core, topic: TopicEntry, text: string): Promise<RegisteredSchema> {
  const rider = core.schemas.registers(topic, text);
  await toldDurably(core, { rider }, () => core.committer.commit([], { rider }));
  return core.schemas.find(topic, text) as RegisteredSchema;
}
