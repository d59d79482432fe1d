/**
 * `npm run bench`: every number beside its peer, in one process run. `--write` puts them into bench/RESULTS.md.
 *
 *   npm run bench                 all of them
 *   npm run bench -- append join  these
 */
import { writeFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { benchAppend } from "./append.ts";
import { benchJoin } from "./join.ts";
import { type Measured, table } from "./report.ts";

const benches: Readonly<Record<string, () => Promise<Measured[]>>> = { append: benchAppend, join: benchJoin };

const args = process.argv.slice(2);
const wanted = args.filter((a) => !a.startsWith("-"));
const unknown = wanted.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`no such bench: ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}

const gib = Math.round(totalmem() / 2 ** 30);
const machine = `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores, ${gib} GiB, Node ${process.version}`;
const parts = [
  "# Results",
  "",
  `${machine}, ${new Date().toISOString().slice(0, 10)}. Repeat them: \`npm run bench\`.`,
];
for (const [name, run] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const measured = await run();
  const text = table(measured);
  console.log(`\n${name}\n${text}`);
  parts.push("", `## ${name}`, "", text);
}
if (args.includes("--write"))
  await writeFile(join(import.meta.dirname, "RESULTS.md"), `${parts.join("\n")}\n`);
