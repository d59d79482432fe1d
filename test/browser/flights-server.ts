/** The flights example as a process of its own, to be stopped and started like the real one. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../examples/flights/main.ts", import.meta.url));

export class FlightsServer {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** Resolves when it listens. Port 0: any. */
  static async start(dir: string, rows: number, port = 0): Promise<FlightsServer> {
    const options = ["--data", dir, "--rows", String(rows), "--port", String(port)];
    const child = spawn(process.execPath, ["--conditions=evert-source", main, ...options], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    const url = await new Promise<string>((resolve, reject) => {
      const hear = (text: Buffer): void => {
        said += text;
        const address = /^evert listening on (\S+)$/m.exec(said)?.[1];
        if (address !== undefined) resolve(address);
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.on("error", reject);
      child.on("exit", (code, signal) =>
        reject(new Error(`the example ended (${signal ?? code}) and said:\n${said}`)),
      );
    });
    return new FlightsServer(child, url);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** As systemd does it. Resolves with the exit code, or the signal it died of. */
  async stop(): Promise<number | string> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      return this.#child.exitCode ?? (this.#child.signalCode as string);
    }
    const ended = once(this.#child, "exit") as Promise<[number | null, string | null]>;
    this.#child.kill("SIGTERM");
    const [code, signal] = await ended;
    return code ?? (signal as string);
  }

  async rows<Row>(view: string): Promise<Row[]> {
    const response = await fetch(`${this.url}/v1/views/${view}/rows`);
    if (!response.ok) throw new Error(`${view}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { rows: Row[] }).rows;
  }

  async append(topic: string, value: object): Promise<string> {
    const response = await fetch(`${this.url}/v1/topics/${topic}/records`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(value),
    });
    if (!response.ok) throw new Error(`${topic}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { position: string }).position;
  }
}
