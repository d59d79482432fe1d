/**
 * The random tests again and again, each round from another seed, until something fails or the rounds are done.
 *
 *   npm run soak                        until stopped
 *   npm run soak -- 20                  twenty rounds
 *   npm run soak -- 20 test/dataflow    twenty rounds of some
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [first, ...rest] = process.argv.slice(2);
const isCount = first !== undefined && /^\d+$/.test(first);
const rounds = isCount ? Number(first) : Number.POSITIVE_INFINITY;
const wanted = isCount || first === undefined ? rest : [first, ...rest];

/** A test is random when it uses fast-check, the seed, or what counts from it. */
function randomTests(): string[] {
  const files = readdirSync("test", { recursive: true, encoding: "utf8" }).map((file) => join("test", file));
  return files.filter(
    (file) =>
      /\.test\.tsx?$/.test(file) &&
      /from "fast-check"|(?:support\/seed|random\/hunt)\.ts"/.test(readFileSync(file, "utf8")),
  );
}

function run(files: readonly string[], seed: number): Promise<{ passed: boolean; said: string }> {
  const child = spawn(process.execPath, ["node_modules/vitest/vitest.mjs", "run", ...files], {
    env: { ...process.env, EVERT_SEED: String(seed), NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const parts: Buffer[] = [];
  child.stdout.on("data", (part: Buffer) => parts.push(part));
  child.stderr.on("data", (part: Buffer) => parts.push(part));
  return new Promise((done) =>
    child.on("close", (code) => done({ passed: code === 0, said: Buffer.concat(parts).toString() })),
  );
}

function failedFiles(said: string): string[] {
  return [...new Set(Array.from(said.matchAll(/^ FAIL .*?(test\/\S+)/gm), (match) => match[1] as string))];
}

const files = wanted.length > 0 ? wanted : randomTests();
const failed: number[] = [];
for (let round = 1; round <= rounds; round++) {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const began = performance.now();
  const { passed, said } = await run(files, seed);
  const took = ((performance.now() - began) / 1000).toFixed(0);
  console.log(`round ${round}: seed ${seed}, ${passed ? "passed" : "FAILED"} in ${took} s`);
  if (passed) continue;
  failed.push(seed);
  const at = said.search(/Failed (Tests|Suites)/);
  console.log(at < 0 ? said : said.slice(at));
  console.log(`Again: EVERT_SEED=${seed} npm test -- ${failedFiles(said).join(" ")}\n`);
}
if (failed.length > 0) process.exitCode = 1;
