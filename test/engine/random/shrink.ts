/** A failing case made smaller: without commits, statements, rows and views, with simpler queries, for as long as it fails in the same way. */
import type { Case, Event } from "./case.ts";
import { reductions } from "./fragment.ts";

export interface Shrinking {
  /** What is wrong with the case, in short; null: nothing is. */
  readonly failure: (events: Case) => Promise<string | null>;
  /** performance.now() at which to give up. */
  readonly until: number;
}

export async function shrink(events: Case, { failure, until }: Shrinking): Promise<Case> {
  const wanted = await failure(events);
  const fails = async (candidate: Case): Promise<boolean> =>
    performance.now() < until && (await failure(candidate)) === wanted;
  let best = events;
  for (let again = true; again && performance.now() < until; ) {
    again = false;
    for (const pass of [withoutEvents, withoutStatements, withSimplerViews, withoutRows]) {
      // A pass goes on from what it has found, until it finds nothing more.
      for (let found = true; found; ) {
        found = false;
        for (const candidate of pass(best)) {
          if (performance.now() >= until) return best;
          if (!(await fails(candidate))) continue;
          best = candidate;
          found = true;
          again = true;
          break;
        }
      }
    }
  }
  return best;
}

function* withoutEvents(events: Case): Generator<Case> {
  // Halves, quarters … and then one by one, from the end.
  for (let size = events.length >> 1; size >= 1; size >>= 1) {
    for (let at = events.length - size; at >= 0; at -= size) yield events.toSpliced(at, size);
  }
}

function* withoutStatements(events: Case): Generator<Case> {
  for (const [i, event] of events.entries()) {
    if (event.kind !== "commit" || event.statements.length < 2) continue;
    for (const s of event.statements.keys()) {
      yield events.with(i, { ...event, statements: event.statements.toSpliced(s, 1) });
    }
  }
}

/** `VALUES (…), (…)`: a row less. */
function* withoutRows(events: Case): Generator<Case> {
  for (const [i, event] of events.entries()) {
    if (event.kind !== "commit") continue;
    for (const [s, statement] of event.statements.entries()) {
      const found = /^(INSERT INTO .* VALUES )(.*?)( ON CONFLICT .*)?$/.exec(statement);
      if (found === null) continue;
      const rows = splitRows(found[2] as string);
      if (rows.length < 2) continue;
      for (const r of rows.keys()) {
        const text = `${found[1]}${rows.toSpliced(r, 1).join(", ")}${found[3] ?? ""}`;
        yield events.with(i, { ...event, statements: event.statements.with(s, text) });
      }
    }
  }
}

function splitRows(text: string): string[] {
  const rows: string[] = [];
  let depth = 0;
  let from = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "'") quoted = !quoted;
    if (quoted) continue;
    if (c === "(" && depth++ === 0) from = i;
    if (c === ")" && --depth === 0) rows.push(text.slice(from, i + 1));
  }
  return rows;
}

function* withSimplerViews(events: Case): Generator<Case> {
  for (const [i, event] of events.entries()) {
    if (event.kind !== "view") continue;
    for (const body of reductions(event.body)) yield events.with(i, { ...event, body });
    yield* withoutOutputs(events, i, event);
  }
}

/** A column of the outermost select less; those behind it keep their names. */
function* withoutOutputs(events: Case, i: number, event: Event & { kind: "view" }): Generator<Case> {
  const { body } = event;
  const outputs = body.parts.flatMap((p, at) => (typeof p !== "string" && p.sort === "output" ? [at] : []));
  if (outputs.length < 2) return;
  for (const [n, at] of outputs.entries()) {
    // The column before the comma, or behind it.
    const parts = n === 0 ? body.parts.toSpliced(at, 2) : body.parts.toSpliced(at - 1, 2);
    const floats = new Set([...event.floats].flatMap((c) => (c === n ? [] : [c > n ? c - 1 : c])));
    yield events.with(i, { ...event, body: { ...body, parts }, floats });
  }
}
