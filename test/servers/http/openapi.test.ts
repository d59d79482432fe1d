/** The document is held to the routes there are, and to itself. */
import { expect, test } from "vitest";
import { createApp } from "../../../src/servers/http/app.ts";
import { openApiDocument } from "../../../src/servers/http/openapi.ts";
import { FakeEngine } from "../fake-engine.ts";
import { Harness } from "./harness.ts";
import { serverContext } from "./server-context.ts";

type Json = Record<string, unknown>;
const methods = ["get", "put", "post", "delete", "patch"];
const paths = openApiDocument.paths as Record<string, Json>;

const operations = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([method]) => methods.includes(method))
    .map(([method, operation]) => ({ path, method, item, operation: operation as Json })),
);

test("every route is in it, and nothing else", () => {
  const engine = new FakeEngine();
  const app = createApp(serverContext(engine, { heartbeatMs: 1, stallMs: 1 }), { boundToLoopback: true });
  const routes = app.routes
    .filter((route) => route.method !== "ALL" && route.path !== "/")
    .map((route) => `${route.method} ${route.path.replace(/:(\w+)/g, "{$1}")}`);
  const documented = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`);
  expect(documented.sort()).toEqual([...new Set(routes)].sort());
});

test("every reference leads somewhere", () => {
  const found: string[] = [];
  const visit = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      if (name === "$ref") found.push(inner as string);
      else visit(inner);
    }
  };
  visit(openApiDocument);
  expect(found.length).toBeGreaterThan(50);
  for (const reference of found) {
    const target = reference
      .replace(/^#\//, "")
      .split("/")
      .reduce<unknown>((at, name) => (at as Json | undefined)?.[name], openApiDocument);
    expect(target, reference).toBeDefined();
  }
});

test("every component is used", () => {
  const text = JSON.stringify(openApiDocument);
  for (const [kind, components] of Object.entries(openApiDocument.components)) {
    for (const name of Object.keys(components)) {
      // What event streams carry is named in their description.
      const described = new RegExp(`\\b${name}\\b`).test(JSON.stringify(paths));
      expect(text.includes(`"#/components/${kind}/${name}"`) || described, `${kind}/${name}`).toBe(true);
    }
  }
});

test("every operation has an id of its own, a summary, answers, and its path's parameters", () => {
  const ids = operations.map(({ operation }) => operation["operationId"]);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, item, operation } of operations) {
    expect(operation["summary"], path).toBeTypeOf("string");
    const statuses = Object.keys(operation["responses"] as Json);
    expect(
      statuses.some((status) => status === "200" || status === "101"),
      path,
    ).toBe(true);
    expect(
      statuses.some((status) => /^[45]/.test(status)),
      path,
    ).toBe(true);
    const references = [
      ...((item["parameters"] ?? []) as Json[]),
      ...((operation["parameters"] ?? []) as Json[]),
    ];
    const names = references.map((r) => (r["$ref"] as string).split("/").at(-1));
    for (const [, name] of path.matchAll(/\{(\w+)\}/g)) expect(names, path).toContain(name);
  }
});

test("it is served, and what is documented as required is what is there", async () => {
  const h = await Harness.start();
  try {
    await h.song(1, "a");
    expect((await h.request("/v1/openapi.json")).body).toEqual(JSON.parse(JSON.stringify(openApiDocument)));
    const { schemas } = openApiDocument.components;
    const answers = {
      Topics: await h.request("/v1/topics"),
      Views: await h.request("/v1/views"),
      View: await h.request("/v1/views/songs_view"),
      Rows: await h.request("/v1/views/songs_view/rows"),
      Row: await h.request("/v1/views/songs_view/rows/1"),
      RowMissing: await h.request("/v1/views/songs_view/rows/2"),
      Appended: await h.song(2, "b"),
      ChunkedProgress: await h.ndjson("/v1/topics/songs/records?atomic=false", "{}\n".slice(0, 0)),
      Position: await h.request("/v1/topics/songs/records/1", { method: "DELETE" }),
      SqlAnswer: await h.post("/v1/sql", { sql: "SELECT [1]" }),
      Error: await h.request("/v1/nothing"),
      Health: await h.request("/health"),
      Readiness: await h.request("/ready"),
    };
    for (const [name, { body }] of Object.entries(answers)) {
      const { properties, required } = schemas[name as keyof typeof answers] as unknown as {
        properties: Json;
        required: string[];
      };
      const members = Object.keys(body as Json);
      for (const member of required) expect(members, name).toContain(member);
      for (const member of members) expect(Object.keys(properties), name).toContain(member);
    }
  } finally {
    await h.stop();
  }
});
