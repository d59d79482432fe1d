/** The tables of docs/SQL.md about aggregates: each name in the first is one that binds, and there is no other. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { aggregateNames } from "../../src/plan/aggregate-functions.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/SQL.md"), "utf8");
const section = /^## Aggregates$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(text)![1]!;
const first = /\| aggregate \|[\s\S]*?\n\n/.exec(section)![0];

it("names every aggregate there is", () => {
  const said = first
    .split("\n")
    .slice(2)
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`(\w+)/g)].map((m) => m[1]!))
    .flatMap((name) => (name.startsWith("_") ? objects.map((o) => o + name) : [name]));
  expect([...new Set(said)].sort()).toEqual([...aggregateNames].sort());
});

const objects = ["json_object_agg", "jsonb_object_agg"];
