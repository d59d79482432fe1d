/** Runs the command line as users do: as a process. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

export const main = join(import.meta.dirname, "../../src/cli/main.ts");

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly url?: string;
  readonly input?: string | Uint8Array | undefined;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** The file that is run. Default: the command's source. */
  readonly main?: string;
}

/** A running command: what it has printed so far, and how it ends. */
export class Running {
  readonly process: ChildProcess;
  readonly done: Promise<Outcome>;
  stdout = "";
  stderr = "";
  readonly #waiting = new Set<() => void>();

  constructor(args: readonly string[], options: RunOptions = {}) {
    const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1", ...options.env };
    if (options.url !== undefined) env["EVERT_URL"] = options.url;
    this.process = spawn(process.execPath, [options.main ?? main, ...args], {
      env,
      cwd: options.cwd,
      stdio: "pipe",
    });
    const wake = () => {
      for (const resolve of this.#waiting) resolve();
    };
    this.process.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      wake();
    });
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      wake();
    });
    // A command that refuses its input early closes it.
    this.process.stdin!.on("error", () => undefined);
    if (options.input !== undefined) this.process.stdin!.end(options.input);
    this.done = new Promise((resolve, reject) => {
      this.process.on("error", reject);
      this.process.on("close", (code) => {
        wake();
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** Resolves once `condition` holds; rejects when the command ends first. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.process.exitCode !== null) throw new Error(`ended early: ${this.stdout}\n${this.stderr}`);
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#waiting.delete(done);
          resolve();
        };
        this.#waiting.add(done);
      });
    }
  }
}

export function run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Running(args, { input: "", ...options }).done;
}
