#!/usr/bin/env node
// The `evert` command. In a clone the sources run as they are; a package brings them compiled.
import { existsSync } from "node:fs";
import module from "node:module";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 22)) {
  process.stderr.write(`evert needs Node.js 22.22 or later; this is ${process.version}.\n`);
  process.exit(1);
}

// Compiled code is kept from one start to the next: a third of a second each time.
module.enableCompileCache?.();

// Only a clone has its tests beside it. There, `import "evert"` in a user's app means the sources too.
const isClone = existsSync(new URL("../test/import-graph.test.ts", import.meta.url));
if (isClone) {
  module.registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, "evert-source"] }),
  });
}
await import(isClone ? "../src/cli/main.ts" : "../dist/cli/main.js");
