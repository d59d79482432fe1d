/** What is refused of windows, windows of time and iteration when a view is opened: by what, and with which words. */
import { expect, test } from "vitest";
import { toQuery } from "../../src/face/compile.ts";
import { definitionText } from "../../src/face/describe.ts";
import {
  type Chain,
  count,
  int4,
  lag,
  list,
  ntile,
  rank,
  sum,
  table,
  text,
  timestamptz,
  topic,
  view,
} from "../../src/face/index.ts";
import { catalogOf } from "./catalog.ts";

const edges = table("edges", { key: "id", schema: { id: int4, from: int4, to: int4, name: text } });
const events = topic("events", { schema: { at: timestamptz, user: text, n: int4 } });
const catalog = catalogOf([edges, events]);

const plan = (chain: Chain<unknown>) => toQuery(view("v", chain), catalog);

const ids = edges.map((e) => ({ id: e.from }));

const refused: readonly (readonly [string, () => Chain<unknown>, RegExp])[] = [
  [
    "a size in months",
    () => events.tumble({ at: "at", size: "1 month" }),
    /"1 month" cannot be the size of a window/,
  ],
  [
    "a size of nothing",
    () => events.hop({ at: "at", size: "0 s", every: "1 s" }),
    /"0 s" cannot be the size/,
  ],
  [
    "a negative distance",
    () => events.hop({ at: "at", size: "1 s", every: "-1 s" }),
    /"-1 s" cannot be the every/,
  ],
  [
    "a size that is none",
    () => events.tumble({ at: "at", size: "soon" }),
    /invalid input syntax for type interval: "soon"/,
  ],
  [
    "windows over what is no time",
    () => events.session({ at: "user", gap: "1 s" }),
    /column "user" is no time/,
  ],
  [
    "windows over windows of the same name",
    () => events.tumble({ at: "at", size: "1 s" }).tumble({ at: "at", size: "1 s" }),
    /have a column "window_start" already/,
  ],
  [
    "a column twice",
    () => edges.window({}, { name: rank() }),
    /column "name" of the window is one of the row's already/,
  ],
  [
    "a list over a window",
    () => edges.window({}, { all: list("name") }),
    /list of "all" over a window is not supported yet/,
  ],
  [
    "no buckets",
    () => edges.window({ orderBy: "id" }, { b: ntile(0) }),
    /ntile of "b" takes a whole number from 1 on, not 0/,
  ],
  [
    "half a row",
    () => edges.window({ orderBy: "id" }, { b: lag("name", 1.5) }),
    /lag of "b" takes a whole number/,
  ],
  [
    "a frame of half a row",
    () => edges.window({ orderBy: "id", frame: { rows: [-1.5, 0] } }, { s: sum("id") }),
    /-1.5 is no bound of a frame/,
  ],
  [
    "groups without order",
    () => edges.window({ frame: { groups: [-1, 0] } }, { s: sum("id") }),
    /needs an orderBy/,
  ],
  [
    "a range of two columns",
    () => edges.window({ orderBy: ["id", "from"], frame: { range: [-1, 0] } }, { s: sum("id") }),
    /needs an orderBy of exactly one column/,
  ],
  [
    "a range of texts",
    () => edges.window({ orderBy: "name", frame: { range: [-1, 0] } }, { s: sum("id") }),
    /a range over type text has no distances/,
  ],
  [
    "a step that reads nothing found",
    () => ids.iterate(() => ids),
    /step of an iterate does not read what was found/,
  ],
  [
    "a step that reads it twice",
    () => ids.iterate((found) => found.union(found)),
    /step of an iterate reads what was found more than once/,
  ],
  [
    "a step that gathers",
    () => ids.iterate((found) => found.reduce({ id: count() })),
    /step of an iterate gathers what was found/,
  ],
  [
    "a step that asks what is absent",
    () => ids.iterate((found) => edges.leftJoin(found, "from", "id").map((e) => ({ id: e.to }))),
    /on the side of an outer join that may be null/,
  ],
  [
    "a step of another type",
    () => ids.iterate((found) => found.map((f) => ({ id: `${f.id}` })) as unknown as typeof found),
    /step of an iterate gives column "id" another type/,
  ],
  [
    "a step with other columns",
    () => ids.iterate((found) => found.map((f) => ({ id: f.id, more: 1 }))),
    /step of an iterate makes rows with other columns/,
  ],
];

test.each(refused)("%s", (_, chain, message) => {
  expect(() => plan(chain())).toThrow(message);
});

test("rows of an iterate outside its step", () => {
  let stolen: Chain<{ id: number }> | undefined;
  ids.iterate((found) => {
    stolen = found;
    return found;
  });
  expect(() => plan(stolen!)).toThrow(/outside its step/);
});

test("are shown as they were written", () => {
  const chain = events
    .session({ at: "at", gap: "5 minutes", partitionBy: "user" })
    .window(
      { partitionBy: "user", orderBy: "-at", frame: { rows: [-1, 0] } },
      { r: rank(), s: sum("n"), l: lag("n", 2) },
    );
  expect(definitionText(view("v", chain))).toBe(
    'events.session({ at: "at", gap: "5 minutes", partitionBy: "user" })' +
      '.window({ partitionBy: "user", orderBy: ["-at"], frame: {"rows":[-1,0]} }, { r: rank(), s: sum("n"), l: lag("n", 2) })',
  );
  const closure = ids.iterate((found) => found.join(edges, "id", "from", (_, e) => ({ id: e.to })));
  expect(definitionText(view("v", closure))).toContain(
    '.iterate((found) => found.join(edges, "id", "from", ',
  );
});
