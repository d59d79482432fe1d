#!/usr/bin/env node
// The `evert` command. In a clone the sources run as they are, on the Node that `npm ci` has brought; a package brings
// them compiled.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

const [major, minor] = process.versions.node.split(".").map(Number);
const isTooOld = major < 22 || (major === 22 && minor < 22);
// Only a clone has its tests beside it.
const isClone = existsSync(new URL("../test/import-graph.test.ts", import.meta.url));
const pinnedNode = fileURLToPath(new URL("../node_modules/node/bin/node", import.meta.url));

if (!isTooOld) await run();
else if (isClone && existsSync(pinnedNode)) handOver();
else {
  process.stderr.write(`evert needs Node.js 22.22 or later; this is ${process.version}.\n`);
  process.exitCode = 1;
}

async function run() {
  // Compiled code is kept from one start to the next: a third of a second each time.
  module.enableCompileCache?.();
  if (isClone) {
    // There, `import "evert"` in a user's app means the sources too.
    module.registerHooks({
      resolve: (specifier, context, next) =>
        next(specifier, { ...context, conditions: [...context.conditions, "evert-source"] }),
    });
  }
  await import(isClone ? "../src/cli/main.ts" : "../dist/cli/main.js");
}

// The machine's own Node cannot run the sources; the clone's can.
function handOver() {
  const child = spawn(pinnedNode, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
