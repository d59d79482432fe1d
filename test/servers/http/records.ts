/** A server of each test, and the records of its songs. */
import { afterEach, beforeEach } from "vitest";
import { Harness } from "./harness.ts";

export let h: Harness;
beforeEach(async () => {
  h = await Harness.start({ bodyLimitBytes: 200_000, bodiesBytesMax: 250_000 });
});
afterEach(() => h.stop());

export const records = "/v1/topics/songs/records";
export const song = (id: number) => `${JSON.stringify({ id, name: `song ${id}` })}\n`;

export async function stored(topic = "songs"): Promise<Record<string, unknown>[]> {
  const { text } = await h.request(`/v1/topics/${topic}/records`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
