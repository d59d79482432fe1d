/** Terms and conditions over the columns that a FROM gives. */
import type { SeededRandom } from "../../../../src/testing/seeded-random.ts";
import { type Fragment, fragment, optional, type Part } from "../fragment.ts";
import { pick } from "../kinds.ts";
import { isWide, type TermKind, type WideKind, wideLiteral } from "./kinds.ts";

export interface Term {
  readonly sql: Part;
  readonly kind: TermKind;
}

export interface Column {
  readonly sql: string;
  readonly kind: TermKind;
}

export interface WideRelation {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly kind: TermKind }[];
  /** How many tables multiply in it, at most. */
  readonly factors: number;
}

export interface WideTable extends WideRelation {
  readonly columns: readonly { readonly name: string; readonly kind: WideKind }[];
  readonly keyed: boolean;
}

/** What queries are made of and from. */
export interface Scene {
  readonly random: SeededRandom;
  readonly tables: readonly WideTable[];
  /** Tables, and the views so far. */
  readonly relations: WideRelation[];
  aliases: number;
}

export type Scope = readonly Column[];

export function newAlias(scene: Scene): string {
  return `y${scene.aliases++}`;
}

/** SQL with parts in it: what is a fragment stays one, to be made smaller. */
export function sql(texts: TemplateStringsArray, ...parts: readonly (Part | number)[]): Part[] {
  return texts.flatMap((text, i) =>
    i === 0
      ? [text]
      : [typeof parts[i - 1] === "number" ? String(parts[i - 1]) : (parts[i - 1] as Part), text],
  );
}

export function term(kind: TermKind, parts: readonly Part[]): Term {
  return { sql: fragment(kind, parts), kind };
}

/** Whether rows may be told apart by it. */
export function keyable(column: { readonly kind: TermKind }): boolean {
  return isWide(column.kind);
}

/** A column of one of the kinds; a constant now and then, and where there is none. */
export function columnOf(
  scene: Scene,
  scope: Scope,
  kinds: readonly WideKind[],
): Column & { kind: WideKind } {
  const { random } = scene;
  const found = scope.filter((c) => isWide(c.kind) && kinds.includes(c.kind));
  if (found.length > 0 && !random.oneIn(12)) return pick(random, found) as Column & { kind: WideKind };
  const kind = kinds[0] as WideKind;
  return { sql: wideLiteral(random, kind), kind };
}

/** A column that can be compared. There is one in every scope: the key of a table, or what is grouped by. */
export function comparableColumn(scene: Scene, scope: Scope): Column & { kind: WideKind } {
  const kinds = scope.flatMap((c) => (isWide(c.kind) ? [c.kind] : []));
  return columnOf(scene, scope, kinds.length === 0 ? ["int4"] : [pick(scene.random, kinds)]);
}

export function direction(random: SeededRandom): string {
  return pick(random, ["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
}

export function condition(scene: Scene, scope: Scope, depth = 1): Fragment {
  return fragment("bool", conditionParts(scene, scope, depth), ["true"]);
}

function conditionParts(scene: Scene, scope: Scope, depth: number): Part[] {
  const { random } = scene;
  const below = (): Fragment => condition(scene, scope, depth - 1);
  const c = comparableColumn(scene, scope);
  const literal = (): string => wideLiteral(random, c.kind);
  switch (random.below(depth > 0 ? 9 : 5)) {
    case 0:
      return sql`${c.sql} ${pick(random, ["=", "<", "<=", ">", "<>"])} ${literal()}`;
    case 1:
      return sql`${c.sql} IS ${pick(random, ["NULL", "NOT NULL"])}`;
    case 2:
      return sql`${c.sql} IS ${pick(random, ["DISTINCT", "NOT DISTINCT"])} FROM ${columnOf(scene, scope, [c.kind]).sql}`;
    case 3:
      return sql`${c.sql} ${pick(random, ["IN", "NOT IN"])} (${literal()}, ${pick(random, ["NULL", literal()])})`;
    case 4:
      return sql`${c.sql} ${pick(random, ["BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC"])} ${literal()} AND ${literal()}`;
    case 5:
      return sql`(${below()} AND ${below()})`;
    case 6:
      return sql`(${below()} OR ${below()})`;
    case 7:
      return sql`NOT (${below()})`;
    default:
      return sql`(${below()}) IS ${pick(random, ["TRUE", "NOT TRUE", "FALSE", "UNKNOWN", "NOT UNKNOWN"])}`;
  }
}

export function maybeWhere(scene: Scene, scope: Scope): Part {
  return scene.random.oneIn(3) ? optional(" WHERE ", condition(scene, scope)) : "";
}
