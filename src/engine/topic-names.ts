/**
 * What the topics of a directory are called, for whoever tells of damage: as its checkpoint says, since the log that has the definitions may be what
 * is damaged.
 */
import { type Disk, joinPath } from "../base/disk.ts";
import { EngineCatalog } from "./catalog/catalog.ts";
import { CATALOG_ENTRY, SINK_ENTRY, TICK_ENTRY } from "./catalog/hidden-topics.ts";
import { CHECKPOINT_DIRECTORY, readManifest } from "./checkpoint/checkpointing.ts";
import { OWN_TABLES } from "./own/own-tables.ts";

/** By id. Topics that are newer than the checkpoint are not among them. Never throws. */
export async function topicNames(directory: string, disk: Disk): Promise<ReadonlyMap<number, string>> {
  const own = [CATALOG_ENTRY, TICK_ENTRY, SINK_ENTRY, ...OWN_TABLES];
  const names = new Map(own.map(({ id, name }) => [id, name]));
  try {
    const { manifest } = await readManifest(disk, joinPath(directory, CHECKPOINT_DIRECTORY));
    const catalog = new EngineCatalog(new Map(), OWN_TABLES);
    catalog.restore((manifest?.catalog as unknown[] | undefined) ?? []);
    for (const { id, name } of catalog.allTopics()) names.set(id, name);
  } catch {
    // A checkpoint is not needed for anything; without it topics are told by their numbers.
  }
  return names;
}
