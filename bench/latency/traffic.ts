/**
 * Readings at a steady rate, and the one who watches them: an open loop. A reading is due at its time whether or not the ones before
 * have been answered, and its latency counts from the moment it was due, so a server that stalls pays for everything that had to wait.
 */
import { Agent, get, request } from "node:http";
import { SENSORS } from "./app.ts";

export interface Change {
  readonly row?: { readonly sensor: number; readonly latest: number };
}

/** Watches the view; `onChange` gets every changed row. Returns when the stream is open. */
export function watch(url: string, onChange: (sensor: number, latest: number) => void): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const stream = get(
      `${url}/v1/views/latest/rows`,
      { headers: { accept: "text/event-stream" } },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
          let end = text.indexOf("\n\n");
          for (; end >= 0; end = text.indexOf("\n\n")) {
            takeEvent(text.slice(0, end), onChange);
            text = text.slice(end + 2);
          }
        });
        resolve(() => stream.destroy());
      },
    );
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET") reject(error);
    });
  });
}

function takeEvent(event: string, onChange: (sensor: number, latest: number) => void): void {
  if (!event.includes("event: change")) return;
  const data = /^data: ?(.*)$/m.exec(event)?.[1];
  if (data === undefined) throw new Error(`a change without data: ${event}`);
  const { changes } = JSON.parse(data) as { changes: Change[] };
  for (const { row } of changes) if (row !== undefined) onChange(row.sensor, row.latest);
}

export class Traffic {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  /** By sensor: numbers sent and not seen, and when they were due. */
  readonly #waiting: { number: number; due: number }[][] = Array.from({ length: SENSORS }, () => []);
  readonly #latencies: number[] = [];
  #next = 0;
  #recording = false;
  #stopped = false;
  #failure: Error | null = null;

  constructor(url: string) {
    this.#url = url;
  }

  seen(sensor: number, latest: number): void {
    const waiting = this.#waiting[sensor];
    if (waiting === undefined) return;
    const now = performance.now();
    while (waiting.length > 0 && waiting[0]!.number <= latest) {
      const { due } = waiting.shift()!;
      if (this.#recording) this.#latencies.push(now - due);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /**
   * Sends `rate` readings a second for so long, or until stop(): each as a request of its own up to 1,000 a second, beyond that those that are
   * due in one millisecond together, as a producer would.
   */
  async run(rate: number, seconds: number): Promise<void> {
    const start = performance.now();
    const together = Math.max(1, Math.floor(rate / 1000));
    for (let sent = 0; sent < rate * seconds && !this.#stopped; ) {
      const now = performance.now();
      const due = (number: number) => start + (number * 1000) / rate;
      while (sent < rate * seconds && due(sent + together - 1) <= now) {
        this.#send(Array.from({ length: together }, (_, i) => due(sent + i)));
        sent += together;
      }
      if (this.#failure !== null) throw this.#failure;
      // A timer would be up to a millisecond late, as much as what is measured.
      await new Promise(setImmediate);
    }
  }

  /** Latencies of what is sent meanwhile, in milliseconds, ascending; waits until all of it was seen. */
  async recorded(run: () => Promise<void>): Promise<Float64Array> {
    this.#recording = true;
    await run();
    const patience = performance.now() + 10_000;
    while (this.#waiting.some((w) => w.length > 0)) {
      if (performance.now() > patience) throw new Error("some readings were never seen");
      await new Promise(setImmediate);
    }
    this.#recording = false;
    return Float64Array.from(this.#latencies).sort();
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(dues: readonly number[]): void {
    const readings = dues.map((due) => {
      const number = ++this.#next;
      const sensor = number % SENSORS;
      this.#waiting[sensor]!.push({ number, due });
      return { sensor, number };
    });
    const sending = request(
      `${this.#url}/v1/topics/readings/records`,
      { method: "POST", agent: this.#agent, headers: { "content-type": "application/json" } },
      (response) => {
        if (response.statusCode !== 200) this.#failure = new Error(`append: status ${response.statusCode}`);
        response.resume();
      },
    );
    sending.on("error", (error) => {
      this.#failure = error;
    });
    sending.end(JSON.stringify(readings));
  }
}
