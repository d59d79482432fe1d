/** Peers that are programs of their own: Kafka Streams on a JVM, and Feldera's dbsp as a binary. Both take the same arguments and answer alike. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { HOW_TO_INSTALL, PeerAbsent, peersDirectory } from "./peer.ts";

export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  /** What has been built, without which there is nothing to run. */
  readonly built: string;
}

const kafkaTarget = join(peersDirectory, "kafka-streams", "target");
const kafkaJar = join(kafkaTarget, "evert-bench-kafka-streams.jar");
const dbspBinary = join(peersDirectory, "dbsp", "target", "release", "evert-bench-dbsp");

export const kafkaStreams: Program = {
  name: "Kafka Streams",
  command: ["java", "-Xmx3g", "-cp", `${kafkaJar}:${join(kafkaTarget, "lib")}/*`, "evert.peers.Main"],
  built: kafkaJar,
};

export const dbsp: Program = { name: "Feldera's dbsp", command: [dbspBinary], built: dbspBinary };

const TIMEOUT_MS = 300_000;

/**
 * Runs a job over a file of events, several times in one process: events per second of each time, and the lines of the answer.
 *
 * @throws PeerAbsent
 */
export async function runProgram(
  { name, command, built }: Program,
  { events, job, turns, dir }: { events: string; job: string; turns: number; dir: string },
): Promise<{ readonly rates: readonly number[]; readonly answer: readonly string[] }> {
  if (!existsSync(built)) throw new PeerAbsent(`not built; ${HOW_TO_INSTALL}`);
  const [program, ...args] = command;
  const own = await mkdtemp(join(dir, "program-"));
  const answer = join(own, "answer");
  try {
    const { stdout } = await promisify(execFile)(program!, [...args, events, job, String(turns), answer], {
      timeout: TIMEOUT_MS,
      cwd: own,
    });
    const { rates } = JSON.parse(stdout) as { rates: number[] };
    const text = await readFile(answer, "utf8");
    return { rates, answer: text.split("\n").filter((line) => line !== "") };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new PeerAbsent(`there is no ${program}`);
    throw new Error(`${name} failed at ${job}`, { cause: error });
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}
