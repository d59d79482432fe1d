/** Reads of a database that had been closed were answered from what was left of it; an option of open() that there is not was passed over. */
import { expect, it } from "vitest";
import { int4, open, table, view } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

const songs = table("songs", { key: "id", schema: { id: int4 } });
const named = view("named", songs.select("id"));

it("answers nothing once it is closed", async () => {
  const db = await open({ dir: "/data", disk: new SimulatedDisk(), topics: [songs], views: [named] });
  await db.append(songs, { id: 1 });
  const reader = db.view(named);
  await db.close();
  const refused = { code: "shutting_down" };
  await expect(reader.rows()).rejects.toMatchObject(refused);
  await expect(reader.get(1)).rejects.toMatchObject(refused);
  await expect(db.sql("SELECT * FROM songs")).rejects.toMatchObject(refused);
  await expect(db.append(songs, { id: 2 })).rejects.toMatchObject(refused);
  await expect(async () => {
    for await (const record of db.read(songs)) expect.unreachable(`${record.offset}`);
  }).rejects.toMatchObject(refused);
});

it("says which option there is not, and what it needs", async () => {
  const disk = new SimulatedDisk();
  await expect(open({ dir: "/data", disk, topic: [songs] } as never)).rejects.toThrow(
    'open() has no option "topic"',
  );
  for (const none of [undefined, {}, { dir: "" }])
    await expect(open(none as never)).rejects.toMatchObject({
      code: "invalid_request",
      message: "open() needs dir, the directory of the data",
    });
});
