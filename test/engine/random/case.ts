/**
 * A case: types and tables, views and commits in the order in which they happen, and as the text of a file that replays.
 *
 *     CREATE TABLE t0 (k int4 NOT NULL, PRIMARY KEY (k));
 *     -- floats 2
 *     CREATE MATERIALIZED VIEW v0 AS SELECT …;
 *     BEGIN;
 *     INSERT INTO t0 …;
 *     COMMIT;
 *     -- power cut
 *
 * A statement has its line. `-- floats 2, 3` before a view: these columns (from 1) may differ in the last digits. Between two events the
 * machine may stop: `-- checkpoint`, `-- close`, `-- power cut`.
 */
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type Fragment, fragment, textOf } from "./fragment.ts";
import { pick } from "./kinds.ts";
import { makeQuery, relationOf } from "./queries.ts";
import { type Commit, createTable, makeCommit, makeTable, type Relation, upsert } from "./tables.ts";

export type Event =
  | { readonly kind: "table"; readonly name: string; readonly sql: string }
  | {
      readonly kind: "view";
      readonly name: string;
      readonly body: Fragment;
      readonly floats: ReadonlySet<number>;
    }
  | ({ readonly kind: "commit" } & Commit)
  | { readonly kind: "stop"; readonly how: Stop };

export type Stop = "checkpoint" | "close" | "power cut";

export type Case = readonly Event[];

const stops: readonly Stop[] = ["checkpoint", "close", "power cut"];

export function makeCase(seed: number): Case {
  const random = new SeededRandom(seed);
  const tables = Array.from({ length: 1 + random.below(3) }, (_, i) => makeTable(random, `t${i}`));
  const relations: Relation[] = [...tables];
  const views: Event[] = [];
  for (let i = 0, count = 2 + random.below(4); i < count; i++) {
    const name = `v${i}`;
    const query = makeQuery(random, relations);
    if (query.fallible !== true) relations.push(relationOf(name, query));
    const floats = new Set(query.kinds.flatMap((kind, c) => (kind === "approx" ? [c] : [])));
    views.push({ kind: "view", name, body: query.body, floats });
  }
  const made: Event[] = tables.map((t) => ({ kind: "table", name: t.name, sql: createTable(t) }));
  const filled = tables.map((t) => upsert(random, t));
  const commits: Event[] = [{ kind: "commit", statements: filled, end: "COMMIT" }];
  for (let i = 3 + random.below(8); i > 0; i--)
    commits.push({ kind: "commit", ...makeCommit(random, tables) });
  return [...made, ...inOrder(random, views, commits)];
}

/** Views come before, between and after the commits; the order keeps a view behind those it reads. Now and then the machine stops. */
export function inOrder(random: SeededRandom, views: readonly Event[], commits: readonly Event[]): Event[] {
  const events: Event[] = [];
  const due = views.map(() => (random.oneIn(2) ? 0 : random.below(commits.length))).sort((a, b) => a - b);
  for (let c = 0, v = 0; c < commits.length; c++) {
    for (; v < views.length && (due[v] as number) <= c; v++) events.push(views[v] as Event);
    events.push(commits[c] as Event);
    if (random.oneIn(6)) events.push({ kind: "stop", how: pick(random, stops) });
  }
  return events;
}

export function caseText(events: Case): string {
  return events.map((event) => `${eventText(event)}\n`).join("");
}

function eventText(event: Event): string {
  switch (event.kind) {
    case "table":
      return `${event.sql};`;
    case "view": {
      const floats = [...event.floats].map((c) => c + 1).join(", ");
      const said = floats === "" ? "" : `-- floats ${floats}\n`;
      return `${said}CREATE MATERIALIZED VIEW ${event.name} AS ${textOf(event.body)};`;
    }
    case "commit":
      return ["BEGIN", ...event.statements, event.end].map((s) => `${s};`).join("\n");
    case "stop":
      return `-- ${event.how}`;
  }
}

/** @throws Error when a line is none of those above. Other comments are for people. */
export function readCase(text: string): Case {
  const events: Event[] = [];
  let floats = new Set<number>();
  let open: string[] | null = null;
  for (const line of text.split("\n")) {
    const said = line.trim().replace(/;$/, "");
    const table = /^CREATE (?:TABLE|TYPE|DOMAIN) (\w+)/.exec(said);
    const view = /^CREATE MATERIALIZED VIEW (\w+) AS (.*)$/.exec(said);
    const columns = /^-- floats ([\d, ]+)$/.exec(said);
    const stop = stops.find((s) => said === `-- ${s}`);
    if (columns !== null) floats = new Set((columns[1] as string).split(",").map((n) => Number(n) - 1));
    else if (stop !== undefined) events.push({ kind: "stop", how: stop });
    else if (said === "" || said.startsWith("--")) continue;
    else if (open !== null) {
      if (said === "COMMIT" || said === "ROLLBACK") {
        events.push({ kind: "commit", statements: open, end: said });
        open = null;
      } else open.push(said);
    } else if (said === "BEGIN") open = [];
    else if (table !== null) events.push({ kind: "table", name: table[1] as string, sql: said });
    else if (view !== null) {
      const body = fragment("query", [view[2] as string]);
      events.push({ kind: "view", name: view[1] as string, body, floats });
      floats = new Set();
    } else throw new Error(`no event of a case: ${line}`);
  }
  return events;
}
