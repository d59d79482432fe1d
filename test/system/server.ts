/** `evert start` as users run it: a process with a data directory of its own. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Running } from "../cli/run.ts";
import { removeChecked } from "../support/left-behind.ts";

const command = join(import.meta.dirname, "../../bin/evert.js");

export class TestServer {
  readonly url: string;
  readonly data: string;
  readonly #directory: string;
  readonly #running: Running;

  private constructor(url: string, directory: string, data: string, running: Running) {
    this.url = url;
    this.data = data;
    this.#directory = directory;
    this.#running = running;
  }

  static async start(app?: string, options: readonly string[] = []): Promise<TestServer> {
    const directory = await mkdtemp(join(tmpdir(), "evert-system-"));
    const data = join(directory, "data");
    const args = ["start", ...(app === undefined ? [] : [app]), "--data", data, "--port", "0", ...options];
    const running = new Running(args, { main: command });
    const said = /^evert listening on (http:\/\/127\.0\.0\.1:\d+)\n$/;
    await running.until(() => said.test(running.stdout));
    return new TestServer(said.exec(running.stdout)![1]!, directory, data, running);
  }

  /** Its exit code. */
  async stop(signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<number | null> {
    this.#running.process.kill(signal);
    const { code } = await this.#running.done;
    await removeChecked(this.#directory);
    return code;
  }
}
