/**
 * POST /v1/topics/{topic}/records without the framework. Most requests of a busy server are small appends, and the framework's routing, its chain of handlers, and a request and
 * a response of the Fetch standard cost more than such a one itself.
 *
 * 1. What is plain comes this way: that path with a name of letters and digits, no query, no header twice. Anything else goes to the framework.
 * 2. The append itself is that of records.ts, for both.
 * 3. What is refused before its body has been touched goes to the framework, too, which refuses it again: there, in one place, stands what becomes of a body
 *    that nobody wants.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { headers } from "../../wire/http/messages.ts";
import { failureAnswer, type PlainAnswer } from "./answer.ts";
import type { Asked, ServerContext } from "./context.ts";
import { guardRequest } from "./guard.ts";
import type { Incoming } from "./incoming.ts";
import { observeRequest } from "./observe.ts";
import { appendCommit, recordsRoute } from "./records.ts";

const plainPath = /^\/v1\/topics\/([A-Za-z0-9_-]+)\/records$/;
/** Of others the framework says whether they are hosts. */
const plainHost = /^[a-z0-9._-]+(:[0-9]{1,5})?$/;

const noQuery: ReadonlyMap<string, string> = new Map();

/** Takes the requests that are plain appends; the others go to `framework`. */
export function directAppends(
  server: ServerContext,
  boundToLoopback: boolean,
  framework: RequestListener,
): RequestListener {
  async function handle(incoming: IncomingMessage, outgoing: ServerResponse, topic: string): Promise<void> {
    const started = performance.now();
    const asked = new PlainRequest(incoming);
    let answer: PlainAnswer;
    try {
      guardRequest(asked, boundToLoopback);
      answer = await appendCommit(asked, server, topic, noQuery);
    } catch (thrown) {
      if (incoming.listenerCount("data") === 0) return framework(incoming, outgoing);
      answer = failureAnswer(thrown, server);
    }
    send(incoming, outgoing, answer, server.engine.position);
    observeRequest(server, asked, recordsRoute, answer.status, started);
  }

  return (incoming, outgoing) => {
    const topic = server.closing.aborted ? null : plainTopic(incoming);
    if (topic === null) framework(incoming, outgoing);
    else void handle(incoming, outgoing, topic);
  };
}

/** The path and the host that were found plain last: those who send many requests send one and the same. */
let lastPath: string | undefined;
let lastTopic = "";
let lastHost: string | undefined;

/** Which topic it is a plain append to, or null. */
function plainTopic(incoming: IncomingMessage): string | null {
  const { method, url, headers: named, rawHeaders } = incoming;
  if (method !== "POST") return null;
  if (url !== lastPath) {
    const match = plainPath.exec(url ?? "");
    if (match === null) return null;
    lastPath = url;
    lastTopic = match[1]!;
  }
  const { host } = named;
  if (host !== lastHost) {
    if (host === undefined || !plainHost.test(host)) return null;
    lastHost = host;
  }
  // Of a header that comes twice, Node keeps one or joins both; what it means is the framework's to say.
  let distinct = 0;
  for (const _ in named) distinct++;
  return 2 * distinct === rawHeaders.length ? lastTopic : null;
}

/** In headers Node has them by their names in small letters. */
const smallNames = new Map<string, string>();

function smallName(name: string): string {
  let small = smallNames.get(name);
  if (small === undefined) smallNames.set(name, (small = name.toLowerCase()));
  return small;
}

class PlainRequest implements Asked {
  readonly #incoming: IncomingMessage;
  readonly method = "POST";

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
  }

  get req(): this {
    return this;
  }

  get env(): { readonly incoming: Incoming } {
    return { incoming: this.#incoming };
  }

  get path(): string {
    return this.#incoming.url ?? "";
  }

  header(name: string): string | undefined {
    const value = this.#incoming.headers[smallName(name)];
    return typeof value === "string" ? value : undefined;
  }
}

function send(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { status, headers: named, body }: PlainAnswer,
  position: string,
): void {
  if (outgoing.destroyed) return;
  const list: string[] = [];
  for (const name in named) list.push(name, named[name] as string);
  if (named[headers.position] === undefined) list.push(headers.position, position);
  if (body !== null) list.push("Content-Length", String(Buffer.byteLength(body)));
  // What was not read of a refused body by now keeps the connection from its next request.
  if (!incoming.readableEnded) {
    list.push("Connection", "close");
    outgoing.once("finish", () => incoming.socket.destroySoon());
  }
  outgoing.writeHead(status, list);
  outgoing.end(body);
}
