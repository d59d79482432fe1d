/** A wide case: types to their ends, every construct of queries, and a history of statements of every sort. */
import { SeededRandom } from "../../../../src/testing/seeded-random.ts";
import { type Case, type Event, inOrder } from "../case.ts";
import { createWideTable, insertWide, makeWideCommit, makeWideTable } from "./changes.ts";
import { definitions } from "./kinds.ts";
import { floatsOf, makeWideQuery, relationOf } from "./queries.ts";
import type { Scene } from "./terms.ts";

export function makeWideCase(seed: number): Case {
  const random = new SeededRandom(seed);
  const tables = Array.from({ length: 2 + random.below(2) }, (_, i) => makeWideTable(random, `t${i}`));
  const scene: Scene = { random, tables, relations: [...tables], aliases: 0 };
  const views: Event[] = [];
  for (let i = 0, count = 3 + random.below(4); i < count; i++) {
    const name = `v${i}`;
    const query = makeWideQuery(scene);
    views.push({ kind: "view", name, body: query.body, floats: floatsOf(query) });
    // More than two tables in a view would make too many rows of those that read it.
    if (query.fallible !== true && query.factors <= 2) scene.relations.push(relationOf(name, query));
  }
  const defined = definitions.map(({ name, sql }): Event => ({ kind: "table", name, sql }));
  for (const t of tables) defined.push({ kind: "table", name: t.name, sql: createWideTable(t) });
  const filled = tables.map((t) => insertWide(random, t, 5));
  const commits: Event[] = [{ kind: "commit", statements: filled, end: "COMMIT" }];
  for (let i = 4 + random.below(7); i > 0; i--) {
    commits.push({ kind: "commit", ...makeWideCommit(random, tables) });
  }
  return [...defined, ...inOrder(random, views, commits)];
}
