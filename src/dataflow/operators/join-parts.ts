/** The loops of a join, over stores, and over parts of what it meets (match-pages.ts). */
import { assert } from "../../base/assert.ts";
import { compiled } from "../../base/compiled.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import type { Store } from "../../state/store.ts";
import type { Chunk } from "../chunk.ts";
import { aloneSource, type JoinShape, passSource, type SideName, turnSource } from "./join-code.ts";
import { type DeltaRows, MatchPage, type PassState } from "./match-pages.ts";
import { tooMany } from "./stored.ts";
import { sink } from "./touch-code.ts";

/** Fills `out`; true when it is full and more remains at the delta's index. */
export type Pass = (
  delta: DeltaRows,
  epoch: number,
  sign: number,
  from: number,
  to: number,
  out: Chunk,
  state: PassState,
) => boolean;
export type Turn = (delta: DeltaRows, from: number, to: number, out: Chunk, state: PassState) => boolean;

export type Run = "fromLeft" | "fromRight" | "turnLeft" | "turnRight";

/** Whose rows a run takes; it meets those of the other side. */
export function deltaSide(run: Run): SideName {
  return run === "fromLeft" || run === "turnRight" ? "left" : "right";
}

/** What code is made over. */
export interface Ground {
  readonly left: Store;
  readonly right: Store;
  readonly leftIndex: HashIndex | null;
  readonly rightIndex: HashIndex | null;
  /** What else it reads, by name. */
  readonly parameters: ReadonlyMap<string, unknown>;
}

/** Makes code; `rowIndex`: of the delta. */
export function binder({
  left,
  right,
  leftIndex,
  rightIndex,
  parameters,
}: Ground): (source: string, rowIndex?: HashIndex | null) => unknown {
  return (source, rowIndex = null) => {
    const names = ["L", "R", "leftIndex", "rightIndex", "rowIndex", "sink", "tooMany", ...parameters.keys()];
    const given = [left, right, leftIndex, rightIndex, rowIndex, sink, tooMany, ...parameters.values()];
    return compiled(...names, source)(...given);
  };
}

/** What a run does where it meets rows in parts. */
export interface Parts {
  readonly page: MatchPage;
  readonly here: Pass;
  readonly inPage: Pass;
  readonly alone: Pass | null;
}

/** `rowIndex`: of the delta. */
export function newParts(run: Run, shape: JoinShape, ground: Ground, rowIndex: HashIndex | null): Parts {
  const side = deltaSide(run);
  const probed = side === "left" ? "right" : "left";
  const index = probed === "left" ? ground.leftIndex : ground.rightIndex;
  assert(index !== null, "what lies on disk is met by an index");
  const page = new MatchPage(ground[probed], index.spec.columns);
  const bind = binder(ground);
  const bindPage = binder({ ...ground, [probed]: page.store, [`${probed}Index`]: page.index });
  if (run === "turnLeft" || run === "turnRight") {
    const source = turnSource(shape, side, true);
    const turn =
      (made: unknown): Pass =>
      (rows, _epoch, _sign, from, to, out, state) =>
        (made as Turn)(rows, from, to, out, state);
    return { page, here: turn(bind(source)), inPage: turn(bindPage(source)), alone: null };
  }
  const source = passSource(shape, side, true);
  return {
    page,
    here: bind(source, rowIndex) as Pass,
    inPage: bindPage(source, rowIndex) as Pass,
    alone: shape.pads[side] ? (bind(aloneSource(shape, side), rowIndex) as Pass) : null,
  };
}
