/** The page at /: a built directory with index.html for every path that is no file, or a small page of our own. */
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
    const file = await files(c, notFound);
    if (file !== undefined) {
      // Build tools put a hash of the content into the names under assets/.
      const immutable = c.req.path.startsWith("/assets/");
      file.headers.set("Cache-Control", immutable ? "public, max-age=31536000, immutable" : "no-cache");
      return file;
    }
    const wantsPage = (c.req.header("Accept") ?? "").includes("text/html");
    if (!wantsPage || c.req.path.startsWith("/v1/")) return next();
    const answer = await page(c, notFound);
    answer?.headers.set("Cache-Control", "no-cache");
    return answer ?? next();
  });
}

async function notFound(): Promise<void> {}
