/** `evert/server`: a database that a program has opened, over HTTP, as `evert start` serves one. */
import type { Db } from "../engine/open.ts";
import { createHttpServer, type HttpServer } from "./http/server.ts";

export type { HttpServer } from "./http/server.ts";

export interface ServeOptions {
  /** Default 7400; 0: any free port. */
  readonly port?: number;
  /** Address to listen on. Default 127.0.0.1: this machine only. */
  readonly host?: string;
  /** The directory of a built page, to be served at /. */
  readonly page?: string;
}

const PORT = 7400;

/**
 * Resolves once it answers. The database stays the program's: `close()` of what is given finishes the requests that are under way, and the database is closed after that.
 * @throws EvertError connection_failed: the address cannot be listened on
 */
export function serve(db: Db, { port = PORT, host, page }: ServeOptions = {}): Promise<HttpServer> {
  return createHttpServer(db.engine, { port, host, staticDir: page });
}
