/**
 * A view that was rebuilt and after which nothing was appended was in no checkpoint: closing took none, since the position had
 * not moved, and so every later start built the view again. Found with examples/flights, stopped while the page's views were
 * being made anew: each start took as long as the first.
 */
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/open-engine.ts";
import { count, int4, topic, view } from "../../src/index.ts";
import { Directories } from "../engine/support/directories.ts";

const directories = new Directories();
const plays = topic("plays", { schema: { song: int4 } });

test("a rebuilt view is in the checkpoint of a close that follows no commit", async () => {
  const dir = await directories.make();
  const start = async (version: string) => {
    const counts = view("counts", plays.groupBy("song", { plays: count() }), { version });
    const engine = await openEngine({ directory: dir, topics: [plays], views: [counts] });
    return { engine, status: engine.view("counts").info.status };
  };
  const first = await start("1");
  await first.engine.append("plays", [{ song: 1 }, { song: 1 }, { song: 2 }]);
  await first.engine.close();

  const edited = await start("2");
  expect(edited.status).not.toBe("live");
  // The new definition, which is a commit, is in this one; the rows are not there yet.
  await edited.engine.checkpoint();
  await edited.engine.built();
  await edited.engine.close();

  const again = await start("2");
  expect(again.status).toBe("live");
  expect((await again.engine.view("counts").get(1)).row).toEqual({ song: 1, plays: 2 });
  await again.engine.close();
});
