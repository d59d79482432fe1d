/**
 * Plans of queries that are asked again and again, as pages and dashboards do: binding one and finding its best form takes several times as long as running it
 * where it asks for a row.
 *
 * A plan is kept with the statement that the parser keeps of a repeated text, and goes with it. It is used as long as every name means what it meant, and not
 * much longer than its guesses of how many rows there are hold. It is not kept where it depends on more than the text: on parameters or on now(). Nor where it is large, which a short text
 * may be: a plain view is written out wherever it is named, and plans are neither counted by the memory limit nor bounded by the length of texts.
 */
import type { Catalog } from "../../plan/catalog.ts";
import {
  bindStatement,
  type ParsedStatement,
  type SqlParam,
  type Statement,
  StatementTime,
} from "../../sql/statement.ts";

/** How old its guesses may be. */
const KEPT_MS = 1000;
/** Of objects, lists and each so many characters or bytes: some 100 bytes each, and there are at most 256 plans. */
const PARTS_MAX = 2_000;
const PART_BYTES = 64;

interface KeptPlan {
  readonly statement: Statement;
  /** The catalog's, when it was bound. */
  readonly changes: number;
  /** In milliseconds of performance.now(). */
  readonly until: number;
}

export class KeptPlans {
  readonly #catalog: Catalog & { readonly changes: number };
  readonly #plans = new WeakMap<ParsedStatement, KeptPlan>();

  constructor(catalog: Catalog & { readonly changes: number }) {
    this.#catalog = catalog;
  }

  /** As bindStatement. `nowUs`: microseconds since 1970. */
  bind(parsed: ParsedStatement, params: readonly SqlParam[], nowUs: bigint): Statement {
    const { changes } = this.#catalog;
    const mayBeKept = parsed.isKept && params.length === 0;
    if (mayBeKept) {
      const plan = this.#plans.get(parsed);
      if (plan?.changes === changes && performance.now() < plan.until) return plan.statement;
    }
    const time = new StatementTime(nowUs);
    const statement = bindStatement(parsed, this.#catalog, params, { time });
    if (mayBeKept && statement.kind === "select" && !time.isAsked && isSmall(statement))
      this.#plans.set(parsed, { statement, changes, until: performance.now() + KEPT_MS });
    return statement;
  }
}

/** Looks no further than at so many parts. */
function isSmall(statement: Statement): boolean {
  const seen = new Set<unknown>();
  const waiting: unknown[] = [statement];
  let parts = 0;
  while (waiting.length > 0 && parts <= PARTS_MAX) {
    const value = waiting.pop();
    if (typeof value === "string") parts += Math.floor(value.length / PART_BYTES);
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    parts++;
    if (ArrayBuffer.isView(value)) parts += Math.floor(value.byteLength / PART_BYTES);
    else if (value instanceof Set || value instanceof Map) waiting.push(...value);
    else waiting.push(...Object.values(value));
  }
  return parts <= PARTS_MAX;
}
