/** What the catalog says may be taken out of the log, as rules for it; and how that is changed. */
import { EvertError } from "../base/errors.ts";
import type { KeepingRules, TopicRule } from "../log/keeping/rules.ts";
import { checkKeeping, type Keeping, sameKeeping } from "../plan/keeping.ts";
import { type AlterKeepingStatement, changedKeeping } from "../sql/statement.ts";
import type { TopicEntry } from "./catalog/catalog.ts";
import type { CatalogEvent } from "./catalog/catalog-events.ts";
import { catalogEvents } from "./catalog/definitions.ts";
import { CATALOG_TOPIC } from "./catalog/hidden-topics.ts";
import type { Core } from "./core.ts";
import { needsOfStream, readersOfThePast } from "./live/needs.ts";
import { deadLetterEvents } from "./write/dead-letters.ts";

export { durationText } from "../plan/keeping.ts";

/** The rules as they are now. `horizon`: the position of the last checkpoint; `copiedTo`: the one that replicas have come to. */
export function keepingRules(core: Core, horizon: number, copiedTo: () => number): KeepingRules {
  const topics = new Map<number, TopicRule>();
  for (const topic of core.catalog.topics()) {
    const { keeping } = topic;
    if (keeping === undefined) continue;
    const isFree = keeping.despiteViews === true;
    const isHeld =
      keeping.tombstonesForUs !== undefined && !isFree && readersOfThePast(core, topic).length > 0;
    topics.set(topic.id, {
      retainForUs: keeping.retainForUs ?? null,
      retainBytes: keeping.retainBytes ?? null,
      neededBy: isFree || topic.topicKind === "table" ? [] : needsOfStream(core, topic),
      tombstonesForUs: isHeld ? null : (keeping.tombstonesForUs ?? null),
    });
  }
  return { horizon, copiedTo, topics, isDropped: (id) => isDropped(core, id) };
}

/** That an id is not known says nothing: the definition may have been lost (log/repair), and then its records stay. */
function isDropped({ catalog }: Core, id: number): boolean {
  return catalog.dropped.has(id) && catalog.byId(id) === undefined;
}

/** What was dropped before the checkpoint that the catalog was read from, as far as it is read before `isOver`. */
export async function learnDropped({ log, catalog }: Core, isOver: () => boolean): Promise<void> {
  for await (const group of log.read({ from: 1, topics: new Set([CATALOG_TOPIC]) })) {
    if (isOver()) return;
    for (const event of group.batches.flatMap((batch) => [...catalogEvents(batch)]))
      if (event.event === "drop") catalog.dropped.add(event.id);
  }
}

/** Who keeps the topic from losing what it may lose: as far as is known, which for a stream is since it was last looked at. */
export function heldBackBy(core: Core, topic: TopicEntry): readonly string[] {
  const { keeping } = topic;
  if (keeping === undefined || keeping.despiteViews === true) return [];
  if (topic.topicKind === "table") return readersOfThePast(core, topic);
  return core.log.stats().keeping.heldBack.get(topic.id) ?? [];
}

export function alterKeeping(
  core: Core,
  { name, ifExists, change, deadLetters }: AlterKeepingStatement,
): Promise<string> {
  return core.define(() => {
    const entry = core.catalog.entry(name);
    if (entry === undefined && ifExists) return [];
    if (entry !== undefined && entry.kind !== "topic")
      throw new EvertError("wrong_object_type", `"${name}" is not a table`);
    const topic = entry ?? core.catalog.topic(name);
    return [
      ...keepingEvents(core, topic, changedKeeping(topic.keeping, change)),
      ...(deadLetters === undefined ? [] : deadLetterEvents(core.catalog, topic, deadLetters)),
    ];
  });
}

/** What makes the topic keep this. @throws EvertError where it cannot, or where views depend on what would go */
export function keepingEvents(core: Core, topic: TopicEntry, keeping: Keeping | undefined): CatalogEvent[] {
  if (sameKeeping(topic.keeping, keeping)) return [];
  if (keeping !== undefined) {
    checkKeeping(keeping, topic.topicKind, !topic.hiddenRowId);
    refuseNeeded(core, topic, keeping);
  }
  return [{ event: "keep", id: topic.id, keeping: keeping ?? null }];
}

function refuseNeeded(core: Core, topic: TopicEntry, keeping: Keeping): void {
  if (keeping.despiteViews === true) return;
  const { retainForUs, retainBytes, tombstonesForUs } = keeping;
  const forgets = retainForUs !== undefined || retainBytes !== undefined;
  const names = new Set([
    ...(forgets
      ? needsOfStream(core, topic)
          .filter(({ ranges }) => ranges.length === 0)
          .map((n) => n.name)
      : []),
    ...(tombstonesForUs === undefined ? [] : readersOfThePast(core, topic)),
  ]);
  if (names.size === 0) return;
  const views = [...names].map((view) => `"${view}"`).join(", ");
  throw new EvertError("dependent_objects", `views depend on the history of "${topic.name}": ${views}`, {
    detail: forgets
      ? "Made anew, they would answer otherwise without the records that are to go."
      : "They ask for its rows as they were.",
    hint: "Bound the views by now(), drop them, or say despite_views: they go on as they are, and answer otherwise when they are made anew.",
  });
}
