/** What queries are run on, and what they answer. */
import type { Datum } from "../../batch/convert.ts";
import type { Field } from "../../batch/schema.ts";
import type { Circuit } from "../../dataflow/circuit.ts";
import type { BackfillContext } from "../builds/backfill.ts";
import type { EngineCatalog } from "../catalog/catalog.ts";
import type { Indexes } from "../indexes.ts";
import type { LiveViews } from "../live/live-views.ts";
import type { Publisher } from "../publisher.ts";
import type { Stepper } from "../stepper.ts";

/** What a query is run on. */
export interface QueryContext {
  readonly catalog: EngineCatalog;
  readonly circuit: Circuit;
  readonly views: LiveViews;
  readonly stepper: Stepper;
  readonly backfill: BackfillContext;
  readonly publisher: Publisher;
  readonly indexes: Indexes;
}

export interface QueryResult {
  readonly fields: readonly Field[];
  readonly rows: readonly (readonly Datum[])[];
  readonly position: number;
}
