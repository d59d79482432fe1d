/**
 * What stands behind OVER: partition, order and frame.
 *
 * OVER w is the window of that name; OVER (w ...) and WINDOW v AS (w ...) begin with w's partition and order and may add an order, and a frame.
 * A definition sees the windows of the WINDOW clause that stand before it.
 */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { intervalSpan, parseInterval } from "../batch/format.ts";
import { int8, type SqlType } from "../batch/types.ts";
import type { ConstExpr, Expr } from "../plan/expression.ts";
import { exprKey } from "../plan/fingerprint.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { columnsOf, typeOf } from "../plan/inspect.ts";
import type { Frame, FrameBound } from "../plan/plan.ts";
import { distanceType } from "../plan/sum-type.ts";
import { coerce, settled } from "./bound.ts";
import { checkEquatable } from "./equality.ts";
import type { ExprPlace, SortKey, WindowSink } from "./place.ts";
import { bindSortKey } from "./sorting.ts";
import { as, type NodeOf, startOf } from "./tree.ts";

type WindowDef = NodeOf<"WindowDef">;

export interface WindowDefinition {
  readonly partition: readonly Expr[];
  readonly order: readonly SortKey[];
  readonly frame: Frame;
}

/** Bits of a definition's frame, as the parser gives them. */
const NON_DEFAULT = 0x1;
const ROWS = 0x4;
const GROUPS = 0x8;
const START_CURRENT_ROW = 0x200;
const END_CURRENT_ROW = 0x400;
const START_OFFSET_PRECEDING = 0x800;
const END_OFFSET_PRECEDING = 0x1000;
const START_OFFSET_FOLLOWING = 0x2000;
const END_OFFSET_FOLLOWING = 0x4000;
const EXCLUDE_CURRENT_ROW = 0x8000;
const EXCLUDE_GROUP = 0x10000;
const EXCLUDE_TIES = 0x20000;

/** Definitions by name. */
type Known = Pick<WindowSink, "named">;

export function bindDefinition(over: WindowDef, windows: Known, place: ExprPlace): WindowDefinition {
  const inner: ExprPlace = { ...place, windows: null, clause: "window definitions" };
  const parts = partsOf(over, windows, inner);
  const { ctx } = place;
  const partition = parts.partition.map((n) => {
    const expr = settled(place.bind(n, inner), ctx);
    checkEquatable(typeOf(expr), ctx.position(startOf(n)));
    return expr;
  });
  const order: SortKey[] = [];
  for (const node of parts.order) {
    const key = bindSortKey(as(node, "SortBy")!, inner);
    // Sorting by the same thing again changes nothing, and RANGE asks for one thing.
    if (!order.some((o) => exprKey(o.expr) === exprKey(key.expr))) order.push(key);
  }
  return { partition, order, frame: bindFrame(parts.framed, order, inner) };
}

interface Parts {
  readonly partition: readonly Node[];
  readonly order: readonly Node[];
  /** The definition that says the frame. */
  readonly framed: WindowDef;
}

function partsOf(definition: WindowDef, known: Known, place: ExprPlace): Parts {
  // OVER w: with its frame. What the parser calls a name there is a reference's where the definition is one of its own.
  if (definition.name !== undefined && isBare(definition)) {
    const found = find(definition.name, definition, known, place);
    return partsOf(nameless(found.definition), found.before, place);
  }
  if (definition.refname === undefined) {
    return {
      partition: definition.partitionClause ?? [],
      order: definition.orderClause ?? [],
      framed: definition,
    };
  }
  const found = find(definition.refname, definition, known, place);
  const base = partsOf(nameless(found.definition), found.before, place);
  const position = place.ctx.position(definition.location);
  const cannot = (what: string, hint?: string) =>
    new EvertError("grouping_error", what, {
      position,
      sqlstate: "42P20",
      ...(hint === undefined ? {} : { hint }),
    });
  const name = definition.refname;
  if ((definition.partitionClause ?? []).length > 0)
    throw cannot(`cannot override PARTITION BY clause of window "${name}"`);
  if ((definition.orderClause ?? []).length > 0 && base.order.length > 0)
    throw cannot(`cannot override ORDER BY clause of window "${name}"`);
  if (((base.framed.frameOptions ?? 0) & NON_DEFAULT) !== 0) {
    const bare = definition.orderClause === undefined && ((definition.frameOptions ?? 0) & NON_DEFAULT) === 0;
    throw cannot(
      `cannot copy window "${name}" because it has a frame clause`,
      bare ? "Omit the parentheses in this OVER clause." : undefined,
    );
  }
  return {
    partition: base.partition,
    order: base.order.length > 0 ? base.order : (definition.orderClause ?? []),
    framed: definition,
  };
}

function nameless({ name: _, ...definition }: WindowDef): WindowDef {
  return definition;
}

/** OVER name, without a definition of its own. */
function isBare({ refname, partitionClause, orderClause }: WindowDef): boolean {
  return refname === undefined && partitionClause === undefined && orderClause === undefined;
}

function find(name: string, definition: WindowDef, known: Known, place: ExprPlace) {
  const found = known.named(name);
  if (found !== undefined) return found;
  throw new EvertError("undefined_object", `window "${name}" does not exist`, {
    position: place.ctx.position(definition.location),
  });
}

function bindFrame(definition: WindowDef, order: readonly SortKey[], place: ExprPlace): Frame {
  const options = definition.frameOptions ?? 0;
  const mode = options & ROWS ? "rows" : options & GROUPS ? "groups" : "range";
  const position = place.ctx.position(definition.location);
  if (mode === "groups" && order.length === 0) {
    throw new EvertError("grouping_error", "GROUPS mode requires an ORDER BY clause", {
      position,
      sqlstate: "42P20",
    });
  }
  const offset = (node: Node | undefined, side: "starting" | "ending"): ConstExpr =>
    bindOffset(node!, side, mode, order, place, position);
  const start: FrameBound =
    options & START_OFFSET_PRECEDING
      ? { kind: "preceding", offset: offset(definition.startOffset, "starting") }
      : options & START_OFFSET_FOLLOWING
        ? { kind: "following", offset: offset(definition.startOffset, "starting") }
        : options & START_CURRENT_ROW
          ? { kind: "currentRow" }
          : { kind: "unboundedPreceding" };
  const end: FrameBound =
    options & END_OFFSET_PRECEDING
      ? { kind: "preceding", offset: offset(definition.endOffset, "ending") }
      : options & END_OFFSET_FOLLOWING
        ? { kind: "following", offset: offset(definition.endOffset, "ending") }
        : options & END_CURRENT_ROW
          ? { kind: "currentRow" }
          : { kind: "unboundedFollowing" };
  const exclude =
    options & EXCLUDE_CURRENT_ROW
      ? "currentRow"
      : options & EXCLUDE_GROUP
        ? "group"
        : options & EXCLUDE_TIES
          ? "ties"
          : "none";
  return { mode, start, end, exclude };
}

function bindOffset(
  node: Node,
  side: "starting" | "ending",
  mode: Frame["mode"],
  order: readonly SortKey[],
  place: ExprPlace,
  over: number | undefined,
): ConstExpr {
  const { ctx } = place;
  const position = ctx.position(startOf(node));
  const inner: ExprPlace = { ...place, clause: `window ${mode.toUpperCase()}`, aggregates: null };
  const bound = place.bind(node, inner);
  // A subquery is a column beyond those of the rows.
  const width = place.scope.plan.schema.fields.length;
  if (bound.kind === "typed" && [...columnsOf(bound.expr)].some((c) => c < width)) {
    const message = `argument of ${mode.toUpperCase()} must not contain variables`;
    throw new EvertError("invalid_column_reference", message, { position });
  }
  if (mode === "range" && order.length !== 1) {
    const message = "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column";
    throw new EvertError("grouping_error", message, { position: over, sqlstate: "42P20" });
  }
  const type = mode === "range" ? measureOf(typeOf(order[0]!.expr), position) : int8;
  const expr = coerce(bound, type, mode === "range" ? "implicit" : "assignment", ctx);
  if (expr === undefined) {
    const given = bound.kind === "typed" ? sqlTypeName(typeOf(bound.expr)) : "unknown";
    if (mode === "range") {
      const column = sqlTypeName(typeOf(order[0]!.expr));
      throw new EvertError(
        "feature_not_supported",
        `RANGE with offset PRECEDING/FOLLOWING is not supported for column type ${column} and offset type ${given}`,
        { position, hint: "Cast the offset value to an appropriate type." },
      );
    }
    const message = `argument of ${mode.toUpperCase()} must be type bigint, not type ${given}`;
    throw new EvertError("datatype_mismatch", message, { position });
  }
  if (expr.kind !== "const") throw notSupported("a frame whose offset is anything but a constant", position);
  if (expr.value === null) {
    throw new EvertError("invalid_argument", `frame ${side} offset must not be null`, {
      position,
      sqlstate: "22004",
    });
  }
  if (isNegative(expr, order[0]?.expr)) {
    const message =
      mode === "range"
        ? "invalid preceding or following size in window function"
        : `frame ${side} offset must not be negative`;
    throw new EvertError("invalid_argument", message, { position, sqlstate: "22013" });
  }
  return expr;
}

function measureOf(type: SqlType, position: number | undefined): SqlType {
  const measured = distanceType(type);
  if (measured !== null) return measured;
  throw new EvertError(
    "feature_not_supported",
    `RANGE with offset PRECEDING/FOLLOWING is not supported for column type ${sqlTypeName(type)}`,
    { position },
  );
}

/** Whether a distance points the wrong way. Of an interval on times of day, the part below a day counts. */
function isNegative({ value, type }: ConstExpr, column: Expr | undefined): boolean {
  if (typeof value === "bigint") return value < 0n;
  if (typeof value === "number") return value < 0 || Number.isNaN(value);
  const written = String(value);
  if (type.name !== "interval") return written.startsWith("-") || written === "NaN";
  const distance = parseInterval(written);
  const isTime = column !== undefined && typeOf(column).name === "time";
  return isTime ? distance.us < 0n : intervalSpan(distance) < 0n;
}
