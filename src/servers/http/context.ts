import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import type { Logger } from "pino";
import type { Engine } from "../../engine/api.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { Incoming } from "./incoming.ts";
import type { Metrics } from "./metrics.ts";

/** What every route may use. */
export interface ServerContext {
  readonly engine: Engine;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Aborted when the server starts to drain: streams end, new requests are refused. */
  readonly closing: AbortSignal;
  readonly bodyBytesMax: number;
  readonly bodies: BodyBudget;
  readonly heartbeatMs: number;
  /** A stream whose client takes nothing for this long is given up. */
  readonly stallMs: number;
}

export interface HttpEnv {
  // A type of Hono's own spelling.
  Bindings: Partial<HttpBindings>;
}

export type App = Hono<HttpEnv>;
export type RequestContext = Context<HttpEnv>;

/** What an append looks at of its request: the framework's context has it, and so has one that comes without (direct-append.ts). */
export interface Asked {
  readonly req: {
    readonly method: string;
    header(name: string): string | undefined;
    readonly raw?: Request;
  };
  /** Absent where there is no socket. */
  readonly env?: { readonly incoming?: Incoming };
}
