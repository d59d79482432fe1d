/** `evert check` and `--repair` told what was lost of "topic 2": nobody but the catalog knows which that is. */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/open-engine.ts";
import { run } from "../cli/run.ts";
import { sql } from "../engine/support/memory.ts";
import { removeChecked } from "../support/left-behind.ts";

test("damage is told by the names of topics", async () => {
  const directory = await mkdtemp(join(tmpdir(), "evert-names-"));
  try {
    const db = await openEngine({ directory });
    await sql(db, "CREATE TABLE songs (id int4 PRIMARY KEY); CREATE TABLE plays (n int4) WITH (append_only)");
    await db.append("plays", [{ n: 1 }]);
    await db.append("plays", [{ n: 2 }]);
    await db.close();
    const file = join(directory, "log", "00000000000000000001.log");
    const bytes = await readFile(file);
    // The first of the two rows: its frame is the third.
    const frame = [...bytes.toString("latin1").matchAll(/EVRT/g)].map(({ index }) => index)[2]!;
    bytes[frame + 60]! ^= 1;
    await writeFile(file, bytes);
    const found = await run(["check", "--data", directory]);
    expect(found.code).toBe(1);
    expect(found.stdout).toContain('  topic "plays" (2): records 0 to 0 cannot be read');
    const repaired = await run(["check", "--data", directory, "--repair"]);
    expect(repaired.code).toBe(0);
    expect(repaired.stdout).toContain(
      'lost: topic "plays" (2), records 0 to 0, of commits between positions 3 and 3',
    );
  } finally {
    await removeChecked(directory);
  }
});
