/**
 * A network that does its worst, on the loopback: requests are held up so that they overtake each other, come twice, at once or much later, or never;
 * answers are lost; connections are cut in the middle of an answer, and streams after a while. What happens to which request follows from a seed.
 */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { SeededRandom } from "../../src/testing/seeded-random.ts";

export class HostileProxy {
  /** Where requests go; null: nobody is there. */
  target: string | null = null;
  /** What was done to requests. */
  readonly counts = { passed: 0, dropped: 0, doubled: 0, lost: 0, cut: 0 };
  /** From now on everything passes. */
  isKind = false;
  readonly #random: SeededRandom;
  readonly #server: Server;
  readonly #late = new Set<Promise<unknown>>();

  private constructor(random: SeededRandom) {
    this.#random = random;
    this.#server = createServer((incoming, outgoing) => void this.#pass(incoming, outgoing));
  }

  static async start(random: SeededRandom): Promise<HostileProxy> {
    const proxy = new HostileProxy(random);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when every copy that was held up has come. */
  async calm(): Promise<void> {
    while (this.#late.size > 0) await Promise.all(this.#late);
  }

  async stop(): Promise<void> {
    await this.calm();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** A read is passed on as it comes, and cut. */
  #stream(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { host: _, connection: __, ...headers } = incoming.headers;
    const { target } = this;
    if (target === null) {
      outgoing.destroy();
      return;
    }
    const sent = request(target + (incoming.url ?? "/"), { headers });
    const end = (): void => {
      clearTimeout(cut);
      sent.destroy();
      outgoing.destroy();
    };
    const cut = setTimeout(
      () => {
        this.counts.cut++;
        end();
      },
      this.isKind ? 2 ** 30 : 20 + this.#random.below(200),
    );
    sent.on("error", end);
    outgoing.on("close", end);
    sent.on("response", (response) => {
      outgoing.writeHead(response.statusCode ?? 500, response.headers);
      response.on("error", end);
      response.pipe(outgoing);
    });
    sent.end();
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (incoming.method === "GET") {
      this.#stream(incoming, outgoing);
      return;
    }
    const pieces: Buffer[] = [];
    incoming.on("error", () => {});
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const random = this.#random;
    const fate = this.isKind ? 99 : random.below(100);
    if (fate < 10) {
      this.counts.dropped++;
      outgoing.destroy();
      return;
    }
    if (fate < 30) {
      this.counts.doubled++;
      this.#later(random.oneIn(2) ? 0 : random.below(300), () => this.#forward(incoming, body));
    }
    if (!this.isKind) await sleep(random.below(30));
    const answer = await this.#forward(incoming, body);
    if (answer === null || (fate >= 30 && fate < 45)) {
      this.counts.lost++;
      outgoing.destroy();
      return;
    }
    outgoing.writeHead(answer.status, { ...answer.headers, "content-length": answer.body.length });
    if (fate >= 45 && fate < 52 && answer.body.length > 0) {
      this.counts.cut++;
      outgoing.write(answer.body.subarray(0, answer.body.length >> 1), () => outgoing.destroy());
      return;
    }
    this.counts.passed++;
    outgoing.end(answer.body);
  }

  #later(ms: number, work: () => Promise<unknown>): void {
    const late = sleep(ms).then(work);
    this.#late.add(late);
    void late.finally(() => this.#late.delete(late));
  }

  /** The answer, or null where there is none. */
  #forward(incoming: IncomingMessage, body: Buffer): Promise<Answer | null> {
    const { target } = this;
    if (target === null) return Promise.resolve(null);
    return new Promise((resolve) => {
      const { host: _, connection: __, "transfer-encoding": ___, ...headers } = incoming.headers;
      const sent = request(target + (incoming.url ?? "/"), {
        method: incoming.method ?? "GET",
        headers: { ...headers, "content-length": body.length },
      });
      sent.on("error", () => resolve(null));
      sent.on("response", (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", () => resolve(null));
        response.on("end", () => {
          // What a server says that is dying by now is not heard any more.
          if (this.target !== target) return resolve(null);
          resolve({
            status: response.statusCode ?? 500,
            headers: withoutEncoding(response.headers),
            body: Buffer.concat(pieces),
          });
        });
      });
      sent.end(body);
    });
  }
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** It is sent on as a whole. */
function withoutEncoding({ "transfer-encoding": _, ...headers }: IncomingHttpHeaders): OutgoingHttpHeaders {
  return headers;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
