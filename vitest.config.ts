import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { LongFilesFirst } from "./test/support/long-files-first.ts";

const major = Number(process.versions.node.split(".")[0]);
if (major < 22) {
  throw new Error(
    `The tests need the Node in node_modules (this is ${process.version}). Run \`npm test\`, or \`npm test -- <file>\`.`,
  );
}

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url));

/** EVERT_SLICES=at-once (npm run test:slices): all turns of the event loop are taken that there could be. The product itself reads no such variable. */
const slices = process.env["EVERT_SLICES"];
if (slices !== undefined && slices !== "at-once") throw new Error("EVERT_SLICES is at-once, or is not set");
const slicesThatEndAtOnce = {
  find: /^(?:\.{1,2}\/)+(?:(?:src\/)?base\/)?slices\.ts$/,
  replacement: fileURLToPath(new URL("test/support/slices-that-end-at-once.ts", import.meta.url)),
};

/** Whole processes, whole browsers, and the examples: each file alone on the machine, with time to start things. */
const system = ["test/browser/**/*.test.{ts,tsx}", "test/system/**/*.test.ts", "test/examples/**/*.test.ts"];

export default defineConfig({
  resolve: {
    // What a program imports is the source here, not the last build.
    alias: [
      { find: /^evert$/, replacement: source("index.ts") },
      { find: /^evert\/(client|react|testing)$/, replacement: source("$1/index.ts") },
      { find: /^evert\/server$/, replacement: source("servers/index.ts") },
      ...(slices === undefined ? [] : [slicesThatEndAtOnce]),
    ],
  },
  test: {
    // Tests start some hundred processes: what Node has compiled for one it need not compile for the next.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/node", import.meta.url)) },
    // What is waited for comes late on a busy machine; how long it takes is not what a test says.
    expect: { poll: { timeout: 60_000 } },
    setupFiles: [fileURLToPath(new URL("test/support/setup.ts", import.meta.url))],
    sequence: { sequencer: LongFilesFirst },
    // The first thread of vitest does next to nothing meanwhile, and much of what is tested waits for processes and disks.
    maxWorkers: "100%",
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.{ts,tsx}"],
          exclude: system,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "system",
          include: system,
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
