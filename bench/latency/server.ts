/** The database behind HTTP in a process of its own: `server.ts DIR PAGE`. Tells its parent the address; ends with its parent. */
import { open } from "../../src/index.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { latest, readings } from "./app.ts";

const [dir, staticDir] = process.argv.slice(2) as [string, string];
const db = await open({ dir, topics: [readings], views: [latest] });
const server = await createHttpServer(db.engine, { port: 0, staticDir });
process.on("disconnect", async () => {
  await server.close();
  await db.close();
  process.exit();
});
process.send?.(server.url);
