/** The log's files. */
import { expect, it } from "vitest";
import { ask, bytesOf, ok } from "./walk.ts";

export function backup(): void {
  it("says which files the log has, and gives their bytes", async () => {
    const { body } = await ok("GET /v1/backup");
    const { files, logId } = body as {
      readonly files: readonly { readonly name: string; readonly bytes: number }[];
      readonly logId: number;
    };
    expect(logId).toEqual(expect.any(Number));
    const { name, bytes } = files[0]!;
    const all = await bytesOf(`/v1/backup/${name}?to=${bytes}`, "application/octet-stream");
    expect(all.length).toBe(bytes);
    const { status, headers } = await ok(`GET /v1/backup/${name}?from=8&to=16`);
    expect([status, headers.get("Content-Type")]).toEqual([200, "application/octet-stream"]);
    expect(await bytesOf(`/v1/backup/${name}?from=8&to=16`, "application/octet-stream")).toEqual(
      all.slice(8, 16),
    );
    expect((await ask("GET /v1/backup/nothing?to=1")).status).toBe(404);
    expect((await ask(`GET /v1/backup/${encodeURIComponent("../lock.owner")}?to=1`)).status).toBe(404);
    expect((await ask(`GET /v1/backup/${name}`)).status).toBe(400);
    expect((await ask(`GET /v1/backup/${name}?to=${bytes + 1}`)).status).toBe(400);
  });
}
