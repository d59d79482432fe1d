/**
 * A row may be an object whose properties are computed, by code that appends. Found by reading, when appends of few rows came to be staged within the call: the commit within was
 * staged amid the other.
 */
import { expect, test } from "vitest";
import { open, text, topic } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

const notes = topic("notes", { schema: { body: text } });

test("an append from within a row of another is a commit behind it", async () => {
  await using db = await open({ dir: "data", disk: new SimulatedDisk(), topics: [notes] });
  let within: Promise<unknown> | undefined;
  const row = {
    get body(): string {
      within ??= db.append(notes, { body: "within" });
      return "around";
    },
  };
  await db.append(notes, row);
  await within;
  const bodies: unknown[] = [];
  for await (const { value } of db.read(notes)) bodies.push(value?.body);
  expect(bodies).toEqual(["around", "within"]);
});
