/** What no part of a commit may be, whoever brings it: rows of a topic that others write, or more rows than there is memory for. */
import { EvertError } from "../../base/errors.ts";
import type { Circuit } from "../../dataflow/circuit.ts";
import type { Store } from "../../state/store.ts";
import type { EngineCatalog } from "../catalog/catalog.ts";
import { refuseOwnTable } from "../own/own-tables.ts";
import type { Stepper } from "../stepper.ts";
import { memoryCauses } from "./memory-causes.ts";
import { type Part, upsertsOf } from "./part.ts";

export interface PartGuardContext {
  readonly circuit: Pick<Circuit, "memory" | "cooling" | "keptRows">;
  readonly catalog: EngineCatalog;
  readonly stepper: Pick<Stepper, "horizon" | "makeRoom">;
  readonly tables: { store(id: number): Store | null };
  /** By topic, the view whose sink it is. */
  readonly sinks: { ownerOf(topicId: number): { readonly id: number; readonly name: string } | null };
}

/** @throws EvertError why the part is not to be staged. */
export function refusePart(context: PartGuardContext, part: Part): void {
  refuseOwnTable(part.topic);
  refuseSink(context, part);
  refuseGrowth(context, part);
}

/** @throws EvertError where a view alone may write the topic. */
function refuseSink({ sinks }: PartGuardContext, part: Part): void {
  const owner = sinks.ownerOf(part.topic.id);
  if (owner === null || part.bySink === owner.id) return;
  throw new EvertError("wrong_object_type", `"${part.topic.name}" is written by view "${owner.name}" alone`, {
    detail: "It is the view's sink.",
    hint: "Change what the view reads, or drop the view.",
  });
}

/** @throws EvertError out_of_memory where a table has no room for more rows than it has. */
function refuseGrowth(context: PartGuardContext, part: Part): void {
  const { circuit, stepper, tables } = context;
  const { memory, cooling } = circuit;
  const store = tables.store(part.topic.id);
  if (store === null || !memory.isNear) return;
  if (upsertsOf(part) <= store.freeSlots || cooling?.makesRoom(store, stepper.horizon) === true) return;
  // It may have become less since it was counted.
  if (memory.usedNow <= memory.nearBytes) return;
  // Who held the rows may have gone since the last step: a view that stopped, say. Where every commit is refused, no step comes that would make room.
  stepper.makeRoom();
  const { detail, drop } = memoryCauses(context);
  const own = store.isCoolable ? "has none to put on disk now" : "keeps its rows in memory";
  throw new EvertError("out_of_memory", "the database has reached its memory limit", {
    detail:
      `Its state takes ${memory.used} of ${memory.bytes} bytes, and "${part.topic.name}" ${own}. ${detail}`.trimEnd(),
    hint: `Delete rows, drop ${drop === "" ? "views" : drop}, or open the database with a higher memoryLimit.`,
  });
}
