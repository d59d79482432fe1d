/**
 * A text that knows its parts, so that a failing query can be made smaller without a shrinker for every construct.
 *
 * A fragment has a sort ("int4", "query:int4,text" …). It may be replaced by any fragment of the same sort inside it, and by the texts
 * its maker says are simpler. Whether what comes out is still SQL, PostgreSQL decides.
 */

export type Part = string | Fragment;

export interface Fragment {
  readonly sort: string;
  readonly parts: readonly Part[];
  readonly simpler: readonly string[];
}

export function fragment(sort: string, parts: readonly Part[], simpler: readonly string[] = []): Fragment {
  return { sort, parts, simpler };
}

/** A part that may be left out. */
export function optional(...parts: readonly Part[]): Fragment {
  return fragment("optional", parts, [""]);
}

/** Parts with a separator between them. */
export function separated(parts: readonly Part[], separator: string): Part[] {
  return parts.flatMap((part, i) => (i === 0 ? [part] : [separator, part]));
}

export function textOf(part: Part): string {
  return typeof part === "string" ? part : part.parts.map(textOf).join("");
}

/** The fragment with one part of it made simpler, in every way; what leaves most out comes first. */
export function* reductions(whole: Fragment): Generator<Fragment> {
  for (let depth = 0; ; depth++) {
    let any = false;
    for (const reduced of at(whole, depth)) {
      any = true;
      if (reduced !== null) yield reduced;
    }
    if (!any) return;
  }
}

/** Null: there is a fragment at that depth, with no simpler form. */
function* at(whole: Fragment, depth: number): Generator<Fragment | null> {
  if (depth === 0) {
    yield null;
    for (const text of whole.simpler) {
      if (text !== textOf(whole)) yield fragment(whole.sort, [text]);
    }
    yield* inside(whole, whole.sort);
    return;
  }
  for (const [i, part] of whole.parts.entries()) {
    if (typeof part === "string") continue;
    for (const reduced of at(part, depth - 1)) {
      yield reduced === null ? null : { ...whole, parts: whole.parts.with(i, reduced) };
    }
  }
}

/** The fragments of the sort below this one. */
function* inside(whole: Fragment, sort: string): Generator<Fragment> {
  for (const part of whole.parts) {
    if (typeof part === "string") continue;
    if (part.sort === sort) yield part;
    else yield* inside(part, sort);
  }
}
