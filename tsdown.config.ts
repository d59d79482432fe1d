import { defineConfig } from "tsdown";

/** One file of JavaScript and one of types for each source file: stack traces and types read like the sources. */
export default defineConfig({
  entry: [
    "src/index.ts",
    "src/client/index.ts",
    "src/react/index.ts",
    "src/servers/index.ts",
    "src/testing/index.ts",
    "src/cli/main.ts",
    "src/engine/workers/thread.ts",
    "src/engine/checkpoint/indexing-thread.ts",
    "src/log/thread/thread.ts",
  ],
  format: "esm",
  platform: "node",
  target: "node22.22",
  unbundle: true,
  dts: { sourcemap: false },
  sourcemap: true,
  fixedExtension: false,
  clean: true,
});
