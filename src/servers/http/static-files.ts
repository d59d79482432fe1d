/** The page at /: a built directory with index.html for every path that is no file, or a small page of our own. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { serveStatic } from "@hono/node-server/serve-static";
import type { App, HttpEnv } from "./context.ts";
import { defaultPage } from "./default-page.ts";

export function staticRoutes(app: App, directory: string | undefined): void {
  if (directory === undefined) {
    app.get("/", (c) => c.html(defaultPage));
    return;
  }
  const index = join(directory, "index.html");
  const files = serveStatic<HttpEnv>({ root: directory });
  const page = serveStatic<HttpEnv>({ path: index });
  app.get("*", async (c, next) => {
    const answer = await files(c, next);
    // Build tools put a hash of the content into the names under assets/.
    const immutable = c.req.path.startsWith("/assets/");
    answer?.headers.set("Cache-Control", immutable ? "public, max-age=31536000, immutable" : "no-cache");
    return answer;
  });
  app.get("*", async (c, next) => {
    const wantsPage = (c.req.header("Accept") ?? "").includes("text/html");
    if (!wantsPage || c.req.path.startsWith("/v1/") || !existsSync(index)) return next();
    const answer = await page(c, next);
    answer?.headers.set("Cache-Control", "no-cache");
    return answer;
  });
}
