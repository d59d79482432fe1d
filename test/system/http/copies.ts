/** A second server that follows the first. */
import { expect, it } from "vitest";
import { TestServer } from "../server.ts";
import { ask, error, ok, server } from "./walk.ts";

export function copies(): void {
  it("the schemas of a topic", async () => {
    expect((await ok("GET /v1/topics/item/schemas")).body).toMatchObject({
      schemas: [{ version: 1, columns: [{ name: "id" }, { name: "name" }, { name: "price" }] }],
    });
  });

  it("a copy follows, tells how far it is, takes the place, and is told when another takes its own", async () => {
    const copy = await TestServer.start(undefined, ["--follow", server.url]);
    try {
      const at = (await ok("GET /v1/replication")).headers.get("Evert-Position")!;
      const reads = await ok(`GET /v1/topics/item/records?limit=1&atLeast=${at}`, undefined, {
        url: copy.url,
      });
      expect(reads.text).not.toBe("");
      expect((await ok("GET /v1/replication", undefined, { url: copy.url })).body).toMatchObject({
        role: "follower",
        following: { leader: server.url },
      });
      const refused = await ask("POST /v1/topics/loose/records", { n: 1 }, { url: copy.url });
      expect([refused.status, refused.body]).toEqual([
        409,
        error("not_leader", expect.any(String), {
          detail: expect.stringContaining(server.url),
          hint: expect.any(String),
        }),
      ]);
      const { logId, role } = (await ok("GET /v1/replication")).body as { logId: number; role: string };
      expect(role).toBe("leader");
      const stop = new AbortController();
      const asks = `follower=7&logId=${logId}&from=1&epochs=[]`;
      const stream = await fetch(`${server.url}/v1/replication/log?${asks}`, { signal: stop.signal });
      expect([stream.status, stream.headers.get("Content-Type")]).toEqual([200, "application/octet-stream"]);
      expect((await stream.body!.getReader().read()).value!.length).toBeGreaterThan(0);
      await ok("POST /v1/replication/progress", { follower: "7", position: "1" });
      stop.abort();

      expect((await ok("POST /v1/promote", {}, { url: copy.url })).body).toMatchObject({ epoch: 1 });
      await ok("POST /v1/topics/loose/records", { n: 1 }, { url: copy.url });
      const epochs = [{ epoch: 2, id: 5, begins: 10 }];
      await ok("POST /v1/replication/fence", { logId, epochs }, { url: copy.url });
      const late = await ask("POST /v1/topics/loose/records", { n: 2 }, { url: copy.url });
      expect([late.status, late.body]).toEqual([
        409,
        error("not_leader", expect.any(String), { detail: expect.any(String), hint: expect.any(String) }),
      ]);
    } finally {
      expect(await copy.stop()).toBe(0);
    }
  });
}
