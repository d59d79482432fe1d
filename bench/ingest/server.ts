/**
 * The database behind HTTP in a process of its own: `server.ts DIR`. Tells its parent the address, and whenever it is asked the processor time
 * that its one thread has used; ends with its parent.
 */
import { open } from "../../src/index.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { threadMs } from "../report.ts";
import { events } from "./events.ts";

const db = await open({ dir: process.argv[2]!, topics: [events], views: [] });
const server = await createHttpServer(db.engine, { port: 0 });
process.on("message", () => process.send?.(threadMs()));
process.on("disconnect", async () => {
  await server.close();
  await db.close();
  process.exit();
});
process.send?.(server.url);
