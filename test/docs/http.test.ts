/** The routes that pages name are in the OpenAPI document, which its own test holds to those that the server has. */
import { expect, it } from "vitest";
import { openApiDocument } from "../../src/servers/http/openapi.ts";
import { pages } from "./pages.ts";

const routes = Object.keys(openApiDocument.paths).map((path) => path.split("/"));

/** `GET /v1/views/charts@2/rows?id=3`, `/v1/views/{view}/versions`: without the query, each part as it is or in the place of a parameter. */
function exists(path: string): boolean {
  const parts = path.split("/");
  return routes.some(
    (route) =>
      route.length === parts.length && route.every((part, i) => part.startsWith("{") || part === parts[i]),
  );
}

const said = pages.flatMap(({ path, text }) =>
  [...text.matchAll(/(?<![\w./])\/(?:v1|registry|health|ready|metrics)(?:\/[\w{}@.-]+)*/g)].map(
    ([route]) => ({
      page: path,
      route: route.replace(/[.-]$/, ""),
    }),
  ),
);

/** What stands for all that is below it. */
const inGeneral = new Set(["/v1", "/registry"]);

it.each(said.filter(({ route }) => !inGeneral.has(route)))("$page: $route", ({ route }) => {
  expect(exists(route)).toBe(true);
});

it("there are many, and one that is not there is seen", () => {
  expect(said.length).toBeGreaterThan(60);
  expect(exists("/v1/views/charts/columns")).toBe(false);
});
