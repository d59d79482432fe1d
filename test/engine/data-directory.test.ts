/** A data directory is opened by one, and let go by whoever had it. */
import { describe, expect, it } from "vitest";
import { open } from "../../src/engine/open.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { int4, table, text } from "../../src/face/index.ts";
import { refusalOf } from "../support/refusal.ts";
import { Directories } from "./support/directories.ts";
import { openInMemory, sql } from "./support/memory.ts";

const directories = new Directories();

describe("a data directory", () => {
  it("has one owner: who comes second is refused, and may have it afterwards", async () => {
    const directory = await directories.make();
    const first = await openEngine({ directory });
    expect(await refusalOf(() => openEngine({ directory }))).toMatchObject({ code: "directory_locked" });
    await first.close();
    const second = await openEngine({ directory });
    await second.close();
  });

  it("is let go when it cannot be opened", async () => {
    const directory = await directories.make();
    const wrong = table("t", { key: "id", schema: { id: int4 } });
    await (await open({ dir: directory, topics: [wrong] })).close();
    const other = table("t", { key: "id", schema: { id: text } });
    expect(await refusalOf(() => open({ dir: directory, topics: [other] }))).toMatchObject({
      code: "datatype_mismatch",
    });
    await (await open({ dir: directory, topics: [wrong] })).close();
  });

  it("closed finishes what it accepted, answers shutting_down, and may be closed twice", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE s (n int4) WITH (append_only)");
    const pending = db.append("s", [{ n: 1 }]);
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([db.close(), db.close()]);
    await pending;
    expect(await refusalOf(() => db.append("s", [{ n: 2 }]))).toMatchObject({ code: "shutting_down" });
    expect((await db.sql("INSERT INTO s VALUES (1)")).error).toMatchObject({ code: "shutting_down" });
  });
});
