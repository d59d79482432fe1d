/** A random program: tables, views over them and over each other, and a history of commits. */
import fc from "fast-check";
import { type Base, createTable, makeBase, makeView, type Relation, type ViewText } from "./grammar.ts";
import { type Commit, commitText, makeCommit } from "./history.ts";
import { Tape, tapes } from "./tape.ts";

export interface Program {
  readonly bases: readonly Base[];
  readonly views: readonly ViewText[];
  readonly commits: readonly Commit[];
}

export const programs: fc.Arbitrary<Program> = fc
  .record({
    bases: fc.array(tapes, { minLength: 1, maxLength: 3, size: "max" }),
    views: fc.array(tapes, { minLength: 1, maxLength: 6, size: "max" }),
    commits: fc.array(tapes, { minLength: 1, maxLength: 14, size: "max" }),
  })
  .map(({ bases: tables, views: queries, commits }) => {
    const bases = tables.map((t, i) => makeBase(new Tape(t), `t${i}`));
    const relations: Relation[] = [...bases];
    const views = queries.map((t, i) => {
      const view = makeView(new Tape(t), `v${i}`, relations);
      relations.push(view);
      return view;
    });
    return { bases, views, commits: commits.map((t) => makeCommit(new Tape(t), bases)) };
  });

/** The program as a person would type it. */
export function programText({ bases, views, commits }: Program): string {
  return [
    ...bases.map((b) => createTable(b, "evert")),
    ...views.map((v) => `CREATE MATERIALIZED VIEW ${v.name} AS ${v.sql}`),
    ...commits.map(commitText),
  ].join(";\n");
}
