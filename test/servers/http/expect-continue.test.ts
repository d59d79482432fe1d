/** A sender that asks before it sends (`Expect: 100-continue`) is told to go on when its body is wanted, and refused in place of that. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { expect, test } from "vitest";
import { Harness } from "./harness.ts";

test("a body that is too long by its length is not asked for; one that is wanted is", async () => {
  const h = await Harness.start({ bodyLimitBytes: 1000 });
  try {
    const ask = async (
      path: string,
      length: number,
      body: string,
    ): Promise<[string[], number | undefined]> => {
      const told: string[] = [];
      const headers = {
        "Content-Type": "application/json",
        "Content-Length": length,
        Expect: "100-continue",
      };
      const asked = request(h.server.url + path, { method: "POST", headers, agent: false });
      asked.on("continue", () => {
        told.push("continue");
        asked.end(body);
      });
      asked.flushHeaders();
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      // What was not sent would stand where the next request is looked for.
      if (told.length === 0) expect(answer.headers.connection).toBe("close");
      answer.resume();
      await once(answer, "end");
      asked.on("error", () => {});
      asked.destroy();
      return [told, answer.statusCode];
    };
    for (const path of ["/v1/topics/plays/records", "/v1/topics/%70lays/records", "/v1/sql"])
      expect(await ask(path, 1001, ""), path).toEqual([[], 413]);
    expect(await ask("/v1/topics/none/records", 10, "")).toEqual([[], 404]);
    const [told] = await ask("/v1/topics/%70lays/records", 2, "{}");
    expect(told).toEqual(["continue"]);
    expect((await ask("/v1/topics/plays/records", 2, "{}"))[0]).toEqual(["continue"]);
    expect((await ask("/v1/sql", 2, "{}"))[0]).toEqual(["continue"]);
  } finally {
    await h.stop();
  }
});
