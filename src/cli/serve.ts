/** What `evert start` does: opens the engine, serves it, and ends it in order. */
import { existsSync, statSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { pino } from "pino";
import { EvertError, toEvertError } from "../base/errors.ts";
import { memoryLimitOf } from "../engine/default-memory.ts";
import { openEngine } from "../engine/open-engine.ts";
import { type App, type FollowOptions, loadApp } from "../engine/tools.ts";
import { createHttpServer, type HttpServer } from "../servers/http/server.ts";
import { exitCodes, printError, UsageError } from "./exit.ts";
import { logDestination } from "./log-destination.ts";
import { write } from "./output.ts";
import { tokenOf } from "./remote.ts";
import { logLevels, type StartOptions } from "./start-options.ts";
import { stopSignal } from "./stop-signal.ts";
import { giveWorkersRoom } from "./worker-heaps.ts";

export async function serve(appFile: string | undefined, options: StartOptions): Promise<void> {
  const port = portOf(options.port);
  const segmentBytes = segmentBytesOf(options.segmentMib);
  const memoryLimit = memoryLimitOf(options.memoryMib === undefined ? undefined : bytesOf(options.memoryMib));
  const workers = workersOf(options.workers);
  if (!logLevels.includes(options.logLevel)) {
    const from = options.logLevel === process.env["EVERT_LOG_LEVEL"] ? "EVERT_LOG_LEVEL" : "--log-level";
    throw new UsageError(`${from} must be one of ${logLevels.join(", ")}: ${options.logLevel}`);
  }
  const logger = pino({ level: options.logLevel }, logDestination(2));
  const staticDir = options.page === undefined ? undefined : pageOf(options.page);
  const app = appFile === undefined ? undefined : await importApp(appFile);
  let serving = false;
  const stopped = stopSignal((message) => logger.info(message));
  // Nothing is acknowledged during recovery, and the next start recovers again: no need to wait for its end.
  void stopped.then(() => {
    if (!serving) process.exit(exitCodes.done);
  });
  giveWorkersRoom(workers, memoryLimit);
  const engine = await openEngine({
    directory: resolve(options.data),
    segmentBytes,
    memoryLimit,
    workers,
    topics: app?.topics,
    views: app?.views,
    functions: app?.functions,
    answerWhileCatchingUp: true,
    follow: followOf(options),
    syncFollowers: wholeOf(options.syncFollowers, "--sync-followers"),
    syncTimeoutMs: wholeOf(options.syncTimeoutMs, "--sync-timeout-ms", 1),
    report: (message) => logger.info(message),
    onFatal: (error) => {
      printError(error);
      process.exit(exitCodes.failed);
    },
  });
  let server: HttpServer;
  try {
    server = await createHttpServer(engine, { host: options.host, port, logger, staticDir });
  } catch (error) {
    await engine.close();
    throw error;
  }
  serving = true;
  await write(`evert listening on ${server.url}\n`);
  await stopped;
  await server.close();
  await engine.close();
}

function portOf(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new UsageError(`--port must be a number from 0 to 65535: ${text}`);
}

function wholeOf(text: string | undefined, name: string, min = 0): number | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]{1,8}$/.test(text) && Number(text) >= min) return Number(text);
  throw new UsageError(`${name} must be a whole number from ${min} on: ${text}`);
}

function followOf({ follow, rejoin }: StartOptions): FollowOptions | undefined {
  if (follow === undefined) {
    if (rejoin === true) throw new UsageError("--rejoin goes with --follow");
    return undefined;
  }
  if (!/^https?:\/\/[^/]/.test(follow)) throw new UsageError(`--follow is not an http address: ${follow}`);
  return { url: follow, token: tokenOf(process.env["EVERT_TOKEN"]), rejoin };
}

const moduleExtensions = [".ts", ".mts", ".js", ".mjs"];

/** What `npm init` says of a project makes its files CommonJS, in which `import` is no syntax. And Node takes types away, but compiles nothing. */
function moduleHint(cause: unknown, file: string): string | undefined {
  if ((cause as NodeJS.ErrnoException)?.code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") {
    return "Node takes the types away and compiles nothing: write it in plain JavaScript, as an object for an enum, or compile the file first.";
  }
  if (!(cause instanceof SyntaxError) || !/outside a module|Unexpected token 'export'/.test(cause.message))
    return undefined;
  const named = basename(file).replace(/\.([jt])s$/, ".m$1s");
  return `Say "type": "module" in package.json, or call the file ${named}.`;
}

/** Where it was thrown, as far as that is the user's own code. */
function ownStack({ stack }: Error): string | undefined {
  return stack
    ?.split("\n")
    .filter((line) => !/^ {4}at .*node:internal/.test(line))
    .join("\n");
}

function segmentBytesOf(mebibytes: string): number {
  const number = /^[0-9]{1,4}$/.test(mebibytes) ? Number(mebibytes) : Number.NaN;
  if (number >= 1 && number <= 1024) return number * 2 ** 20;
  throw new UsageError(`--segment-mib must be a number from 1 to 1024: ${mebibytes}`);
}

function bytesOf(mebibytes: string): number {
  const number = /^[0-9]{1,8}$/.test(mebibytes) ? Number(mebibytes) : Number.NaN;
  if (number >= 1) return number * 2 ** 20;
  throw new UsageError(`--memory-mib must be a positive number: ${mebibytes}`);
}

function workersOf(text: string): number {
  const number = /^[0-9]{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (number <= 64) return number;
  throw new UsageError(`--workers must be a number from 0 to 64: ${text}`);
}

function pageOf(directory: string): string {
  const path = resolve(directory);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  throw new UsageError(`--page is not a directory: ${directory}`);
}

async function importApp(file: string): Promise<App> {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`there is no ${file}`);
  if (!moduleExtensions.includes(extname(path))) {
    throw new UsageError(`${file} is no module: its name must end in ${moduleExtensions.join(", ")}`);
  }
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (cause) {
    const error = toEvertError(cause);
    throw new EvertError(
      error.code === "internal" ? "function_failed" : error.code,
      `${file} cannot be loaded: ${error.message}`,
      {
        detail: error.detail ?? (cause instanceof Error ? ownStack(cause) : undefined),
        hint: error.hint ?? moduleHint(cause, file),
        cause,
      },
    );
  }
  const app = loadApp(module);
  if (app.topics.length === 0 && app.views.length === 0) {
    throw new EvertError("invalid_argument", `${file} exports no topic and no view`, {
      hint: "Export what topic(), table() and view() give.",
    });
  }
  return app;
}
