/**
 * A change of a topic's columns as the engine applies it, between two steps, behind everything that was staged before it.
 *
 * 1. The catalog and the log know the new schema; commits from here on are held to it. For a stream that is all: what its records were is converted
 *    when they are read.
 * 2. A table whose rows have more places than before gets a new store. Before the step that the change is, it is filled from the old one, a slice at
 *    a time: readers go on meanwhile, with the old columns; writers wait. Its rows count as born with the last step, which by then has been
 *    published, so that whoever comes next reads them, whether the change is on disk yet or not.
 * 3. Views that were made before keep reading the old store, which is fed like the new one, until they go or the database is started again:
 *    then all read the new one. They do not notice: their columns are where they were.
 */
import { emptyDatum } from "../../batch/constant-column.ts";
import type { Datum } from "../../batch/convert.ts";
import type { Field } from "../../batch/schema.ts";
import { widenDatum } from "../../batch/widen.ts";
import { type Chunk, createChunk, type Values } from "../../dataflow/chunk.ts";
import type { Circuit } from "../../dataflow/circuit.ts";
import type { Log, Pause } from "../../log/log.ts";
import { EveryRow, type TakeSlot } from "../../state/every-row.ts";
import type { Store } from "../../state/store.ts";
import { RowEncoder } from "../../views/row-encoder.ts";
import { encodeDatum } from "../../views/view.ts";
import type { EngineCatalog } from "../catalog/catalog.ts";
import type { CatalogEvent } from "../catalog/catalog-events.ts";
import type { TopicEntry } from "../catalog/entries.ts";
import type { Indexes } from "../indexes.ts";
import type { LiveViews } from "../live/live-views.ts";
import type { Publisher } from "../publisher.ts";
import type { Tables } from "../tables.ts";
import { idsOf, layoutOf, logTopicsOf, placedOf, placeOf } from "./evolved.ts";

/** The engine's parts that it changes. */
export interface EvolvingContext {
  readonly catalog: EngineCatalog;
  readonly log: Log;
  readonly circuit: Circuit;
  readonly views: LiveViews;
  readonly indexes: Indexes;
  /** Resolves when readers see the epoch. */
  readonly publisher: Pick<Publisher, "shown">;
  readonly tables: Tables;
}

type AlterEvent = CatalogEvent & { readonly event: "alter" };

/** Slots looked at before the next rows are fed. */
const SLICE_SLOTS = 2048;

export class EvolvingTables {
  readonly #core: EvolvingContext;

  constructor(core: EvolvingContext) {
    this.#core = core;
  }

  /** A change has been applied: earlier checkpoints lack what it has made of the rows. */
  applied: () => void = () => {};

  /** Between two steps. A promise where rows have to be laid out anew: until it resolves all is as it was. */
  apply(event: AlterEvent, pause: Pause): Promise<void> | undefined {
    const { entry } = event;
    const before = this.#core.catalog.byId(entry.id) as TopicEntry;
    if (entry.topicKind === "table" && layoutOf(entry) !== layoutOf(before))
      return this.#layOutAnew(event, before, pause);
    this.#define(event);
    this.#core.tables.constrain(entry.id);
    const store = this.#core.tables.store(entry.id);
    if (store !== null) this.#core.indexes.attach(entry.id, store);
    return undefined;
  }

  #define(event: AlterEvent): void {
    const { catalog, log, views } = this.#core;
    catalog.apply(event);
    for (const topic of logTopicsOf(event.entry)) log.registerTopic(topic);
    for (const other of event.others) if (other.kind === "view") views.redefined(other);
    this.applied();
  }

  async #layOutAnew(event: AlterEvent, before: TopicEntry, pause: Pause): Promise<void> {
    const { circuit, publisher } = this.#core;
    const { entry } = event;
    // A leader's change waits for it before it is written; a follower's steps run ahead of what is durable here.
    await publisher.shown(circuit.epoch);
    const { schema, key } = placedOf(entry);
    const made = circuit.topics.layOutAnew(
      { id: entry.id, name: entry.name, schema, key: key as readonly number[], layout: layoutOf(entry) },
      circuit.epoch,
    );
    const chunk = createChunk(schema.fields);
    const copy = copierOf(entry, before, chunk);
    const pin = made.before.pin(circuit.epoch, true);
    const every = new EveryRow(made.before, circuit.epoch, SLICE_SLOTS);
    try {
      for (let isMore = true; isMore; ) {
        chunk.length = 0;
        isMore = await every.next(copy);
        insert(chunk, made.store);
        const others = pause();
        if (others !== null) await others;
      }
    } finally {
      every.close();
      pin.release();
    }
    this.#define(event);
    made.take();
    this.#core.tables.place(entry, made.store);
  }
}

function insert({ length, columns, nulls }: Chunk, store: Store): void {
  store.reserve(length);
  for (let row = 0; row < length; row++) {
    const slot = store.alloc();
    store.write(slot, columns, nulls as Uint8Array[], row);
    store.insert(slot);
  }
}

/** Puts a row behind those in the chunk, in all its places: those of before as they lie, the others converted or all alike. */
function copierOf(entry: TopicEntry, before: TopicEntry, chunk: Chunk): TakeSlot {
  const { columns, nulls } = chunk;
  const known = placedOf(before);
  const ids = idsOf(before);
  const { schema, columns: columnAt } = placedOf(entry);
  // Of one store, and of the page that its rows come from disk in.
  const encoders = new Map<Store, RowEncoder>();
  const encoderOf = (store: Store): RowEncoder => {
    const encoder = encoders.get(store) ?? new RowEncoder(store, known.schema.fields, null);
    encoders.set(store, encoder);
    return encoder;
  };
  const anew: ((store: Store, slot: number, row: number) => void)[] = [];
  schema.fields.forEach(({ type, nullable }, at) => {
    const c = columnAt[at] as number;
    if (c >= 0 && at < known.schema.fields.length) return;
    const was = c < 0 ? -1 : ids.indexOf(idsOf(entry)[c] as number);
    const values = columns[at] as Values;
    const isNull = nulls[at] as Uint8Array | null;
    const put = (store: Store, row: number, datum: Datum): void => {
      if (isNull !== null) isNull[row] = datum === null ? 1 : 0;
      values[row] = datum === null ? 0 : encodeDatum(store.dictionary, type, datum);
    };
    if (was < 0) {
      const gone = nullable ? null : emptyDatum(type);
      const missing = c < 0 ? gone : (entry.evolved?.missing[c] ?? null);
      anew.push((store, _, row) => put(store, row, missing));
      return;
    }
    const from = placeOf(before, was);
    const wasType = (known.schema.fields[from] as Field).type;
    anew.push((store, slot, row) =>
      put(store, row, widenDatum(wasType, type, encoderOf(store).datum(slot, from))),
    );
  });
  return (store, slot) => {
    const row = chunk.length++;
    store.read(slot, columns, nulls as Uint8Array[], row);
    for (const fill of anew) fill(store, slot, row);
  };
}
