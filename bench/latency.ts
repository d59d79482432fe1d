/**
 * How long it takes from an event to whoever watches.
 *
 * The first numbers are milliseconds from the moment an event is due, at 1,000, 10,000 and 100,000 events a second over HTTP on loopback, to the moment
 * a subscriber (SSE) has the changed row of a view in hand: median, 99th and 99.9th percentile. The event is durable by then. The server is a process of
 * its own; the loop is open (latency/traffic.ts). Above 1,000 a second the events of a millisecond come in one request. Beside it the bare
 * server (latency/bare-server.ts): HTTP, one fdatasync, SSE, and no database.
 *
 * The last are milliseconds from fetch() in a page to the text in the page's own document, by one clock, while the 1,000 events a second go on:
 * Chromium, React, the client, the server, the disk, and back.
 *
 *   node --conditions=evert-source bench/latency.ts
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import react from "@vitejs/plugin-react";
import { chromium } from "playwright-core";
import { build, defaultClientConditions } from "vite";
import { withDirectory } from "./directory.ts";
import { PAGE_SENSOR } from "./latency/app.ts";
import { Traffic, watch } from "./latency/traffic.ts";
import { type Measured, present } from "./report.ts";

const RATES = [1_000, 10_000, 100_000];
const RATE = 1_000;
const PERCENTILES = [50, 99, 99.9];
/** Most milliseconds wanted, by rate and percentile. */
const WANTED: Readonly<Record<string, number>> = { "10000 p99": 5 };
const WARM_UP_SECONDS = 2;
const SECONDS = 6;
const PAGE_SAMPLES = 200;
const CHROMIUM = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";

const here = join(import.meta.dirname, "latency");

async function measure(): Promise<Measured[]> {
  return withDirectory(async (dir) => {
    const page = join(dir, "page");
    await buildPage(page);
    const measured: Measured[] = [];
    for (const rate of RATES) measured.push(...(await atRate(dir, page, rate)));
    if (!existsSync(CHROMIUM)) {
      const note = `there is no Chromium at ${CHROMIUM}`;
      return [...measured, { name: "append to text in Chromium's DOM", unit: "ms", value: null, note }];
    }
    const shown = await withServer("server.ts", [await subdirectory(dir, "db-page"), page], pageLatencies);
    return [
      ...measured,
      ...[50, 99].map(
        (p): Measured => ({
          name: `append to text in Chromium's DOM, p${p}`,
          unit: "ms",
          value: percentile(shown, p),
        }),
      ),
    ];
  });
}

/** In turns, the better of two: what else the machine does shows in a percentile first of all. */
async function atRate(dir: string, page: string, rate: number): Promise<Measured[]> {
  const runs: { ours: Float64Array; bare: Float64Array }[] = [];
  const latencies = (url: string) => subscriberLatencies(url, rate);
  for (let i = 0; i < 2; i++) {
    const ours = await withServer("server.ts", [await subdirectory(dir, `db-${rate}-${i}`), page], latencies);
    const bare = await withServer(
      "bare-server.ts",
      [await subdirectory(dir, `bare-${rate}-${i}`)],
      latencies,
    );
    runs.push({ ours, bare });
  }
  return PERCENTILES.map((p) => {
    const most = WANTED[`${rate} p${p}`];
    return {
      name: `append to subscriber at ${rate.toLocaleString("en")}/s, p${p}`,
      unit: "ms",
      value: Math.min(...runs.map((r) => percentile(r.ours, p))),
      peer: "bare server",
      peerValue: Math.min(...runs.map((r) => percentile(r.bare, p))),
      ...(most === undefined ? {} : { most }),
    };
  });
}

async function subscriberLatencies(url: string, rate: number): Promise<Float64Array> {
  const traffic = new Traffic(url);
  const stop = await watch(url, (sensor, latest) => traffic.seen(sensor, latest));
  await traffic.run(rate, WARM_UP_SECONDS);
  const latencies = await traffic.recorded(() => traffic.run(rate, SECONDS));
  stop();
  traffic.close();
  return latencies;
}

async function pageLatencies(url: string): Promise<Float64Array> {
  const traffic = new Traffic(url);
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--headless=new", "--disable-gpu"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(url);
    const running = traffic.run(RATE, 3600).catch(() => {});
    const latencies: number[] = [];
    for (let number = -20; number < PAGE_SAMPLES; number++) {
      const latency = await page.evaluate(([sensor, n]) => window.measureLatency(sensor, n), [
        PAGE_SENSOR,
        number + 1000,
      ] as const);
      if (number >= 0) latencies.push(latency);
      await page.waitForTimeout(10);
    }
    traffic.stop();
    await running;
    return Float64Array.from(latencies).sort();
  } finally {
    await browser.close();
    traffic.close();
  }
}

async function withServer<T>(
  file: string,
  args: readonly string[],
  use: (url: string) => Promise<T>,
): Promise<T> {
  const child: ChildProcess = fork(join(here, file), args, { execArgv: ["--conditions=evert-source"] });
  const ended = once(child, "exit");
  try {
    const [url] = (await Promise.race([
      once(child, "message"),
      ended.then(([code]) => {
        throw new Error(`${file} ended with ${code}`);
      }),
    ])) as [string];
    return await use(url);
  } finally {
    if (child.connected) child.disconnect();
    await ended;
  }
}

async function buildPage(outDir: string): Promise<void> {
  await build({
    configFile: false,
    root: join(here, "page"),
    logLevel: "warn",
    plugins: [react()],
    resolve: { conditions: ["evert-source", ...defaultClientConditions] },
    build: { outDir, emptyOutDir: true, target: "es2023" },
  });
}

async function subdirectory(dir: string, name: string): Promise<string> {
  const path = join(dir, name);
  await mkdir(path);
  return path;
}

function percentile(sorted: Float64Array, p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * p) / 100) - 1)]!;
}

await present(measure);
