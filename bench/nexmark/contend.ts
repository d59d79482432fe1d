/**
 * A turn of one contender over rounds that lie in a file, in a process of its own, so that it neither finds what another has left (memory that was given back, code that
 * was compiled for it) nor leaves anything.
 */
import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { threadMs } from "../report.ts";
import { CircuitContender, type Planned } from "./engine.ts";
import type { Round } from "./events.ts";
import { mapLoops } from "./map-loops.ts";
import { readRounds } from "./round-file.ts";
import { typedLoops } from "./typed-loops.ts";

export interface Task {
  readonly query: string;
  readonly contender: "engine" | "typed" | "maps";
  /** Of the rounds (round-file.ts). */
  readonly path: string;
  readonly planned: Planned;
}

export interface Turn {
  /** Processor time of the thread. */
  readonly ms: number;
  /** Of the rows in any order, and the number of changes. */
  readonly answer: string;
}

interface Contender {
  take(round: Round): void;
  readonly changes: number;
  rows(): string[];
}

/** @throws where the process fails */
export async function contend(task: Task): Promise<Turn> {
  const child = fork(import.meta.filename, {
    execArgv: ["--conditions=evert-source", "--expose-gc", "--max-old-space-size=6144"],
    serialization: "advanced",
  });
  let turn: Turn | null = null;
  child.on("message", (message) => {
    turn = message as Turn;
  });
  child.send(task);
  const [code] = await once(child, "exit");
  if (turn === null) throw new Error(`${task.contender} for ${task.query} ended with ${code}`);
  return turn;
}

function contenderOf({ query, contender, planned }: Task): Contender {
  if (contender === "engine") return new CircuitContender(planned);
  return (contender === "typed" ? typedLoops : mapLoops)[query]!();
}

async function runTask(task: Task): Promise<Turn> {
  const rounds = await readRounds(task.path);
  // Nobody pays for what reading has left.
  globalThis.gc?.();
  const contender = contenderOf(task);
  const started = threadMs();
  for (const round of rounds) contender.take(round);
  const ms = threadMs() - started;
  if (contender instanceof CircuitContender) contender.check();
  const rows = contender.rows().sort();
  const answer = createHash("sha256").update(rows.join("\n")).digest("hex");
  return { ms, answer: `${contender.changes} changes, ${rows.length} rows, ${answer}` };
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  const [task] = (await once(process, "message")) as [Task];
  process.send(await runTask(task), () => process.disconnect());
}
