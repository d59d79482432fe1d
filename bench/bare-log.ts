/** A log on the real disk without the engine, which would seal beside the appends and step them. */
import { systemClock } from "../src/base/clock.ts";
import { nodeDisk } from "../src/base/node-disk.ts";
import type { TopicEntry } from "../src/engine/catalog/catalog.ts";
import { CATALOG_ENTRY, TICK_ENTRY } from "../src/engine/catalog/hidden-topics.ts";
import type { Log } from "../src/log/log.ts";
import { openLog } from "../src/log/open-log.ts";

/** Of a directory that an engine has made, which knows these topics. */
export async function openBareLog(
  directory: string,
  segmentBytes: number,
  topics: Iterable<TopicEntry>,
): Promise<Log> {
  const log = await openLog({ directory, disk: nodeDisk, clock: systemClock, segmentBytes });
  for (const { id, schemaVersion, schema } of [CATALOG_ENTRY, TICK_ENTRY, ...topics])
    log.registerTopic({ topicId: id, schemaVersion, schema });
  return log;
}
