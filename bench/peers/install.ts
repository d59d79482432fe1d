/**
 * Brings the peers onto this machine: `npm run bench -- --peers`, or this file by itself.
 *
 * Packages come from npm by the lock file; the one install script among them makes links to PostgreSQL's libraries. Kafka Streams comes by Maven, and dbsp is built by cargo, which takes minutes the
 * first time. What cannot be had is told, and the rest goes on: the benches name it as absent.
 *
 *   node bench/peers/install.ts
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { peersDirectory } from "./peer.ts";

interface Step {
  readonly name: string;
  readonly directory: string;
  readonly command: readonly string[];
}

const STEPS: readonly Step[] = [
  {
    name: "PostgreSQL and DuckDB",
    directory: peersDirectory,
    command: ["npm", "ci", "--no-audit", "--no-fund"],
  },
  {
    name: "Kafka Streams",
    directory: join(peersDirectory, "kafka-streams"),
    command: ["mvn", "--batch-mode", "--quiet", "package"],
  },
  {
    name: "dbsp",
    directory: join(peersDirectory, "dbsp"),
    command: ["cargo", "build", "--release", "--locked"],
  },
];

export async function installPeers(): Promise<void> {
  for (const { name, directory, command } of STEPS) {
    console.log(`${name}: ${command.join(" ")}`);
    const failure = await failureOf(command, directory);
    if (failure !== null) console.log(`${name} cannot be had here: ${failure}`);
  }
}

async function failureOf([program, ...args]: readonly string[], cwd: string): Promise<string | null> {
  const child = spawn(program!, args, { cwd, stdio: ["ignore", "inherit", "inherit"] });
  try {
    const [code, signal] = await once(child, "exit");
    return code === 0 ? null : `${program} ended with ${code ?? signal}`;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    return missing ? `there is no ${program}` : (error as Error).message;
  }
}

if (import.meta.main) await installPeers();
