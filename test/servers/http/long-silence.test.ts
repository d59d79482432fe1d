/** Answers that are long in coming: white space between the tokens of a JSON answer that has begun, empty lines between those of NDJSON, 102 before one that has not, for those who ask. */
import { once } from "node:events";
import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sqlParts } from "../../../src/client/sql-answer.ts";
import type { FlowingResult } from "../../../src/engine/api.ts";
import { createApp } from "../../../src/servers/http/app.ts";
import { BodyBudget } from "../../../src/servers/http/body-budget.ts";
import { FakeEngine } from "../fake-engine.ts";
import { Harness } from "./harness.ts";
import { serverContext } from "./server-context.ts";

const heartbeatMs = 15_000;
const minuteMs = 60_000;

/** Rows that come when a test says so. */
class SlowRows implements FlowingResult {
  readonly columns = [{ name: "n", type: "int4" }];
  rowCount = 0;
  isClosed = false;
  #give: (row: string | null | Error) => void = () => {};
  asked = 0;

  get command(): string {
    return `SELECT ${this.rowCount}`;
  }

  give(row: string | null | Error): void {
    this.#give(row);
  }

  async *pieces(_: "json" | "text" | "objects", write: (row: string) => string) {
    for (;;) {
      this.asked++;
      const row = await new Promise<string | null | Error>((resolve) => {
        this.#give = resolve;
      });
      if (row instanceof Error) throw row;
      if (row === null) return;
      this.rowCount++;
      yield write(row);
    }
  }

  close(): void {
    this.isClosed = true;
  }
}

class SlowEngine extends FakeEngine {
  readonly rows = new SlowRows();

  override sql() {
    return Promise.resolve({ results: [], flowing: this.rows, position: "7" });
  }
}

describe("rows that are silent", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const bodyBytesMax = 1 << 20;
  function ask(engine: SlowEngine, format: string, headers: Record<string, string> = {}): Promise<Response> {
    const context = serverContext(engine, { heartbeatMs, stallMs: 10 * minuteMs });
    const bodies = new BodyBudget(bodyBytesMax);
    const app = createApp({ ...context, bodyBytesMax, bodies }, { boundToLoopback: false });
    const body = JSON.stringify({ sql: "SELECT n", format });
    return Promise.resolve(
      app.request(
        "/v1/sql",
        { method: "POST", body, headers: { "Content-Type": "application/json", ...headers } },
        {},
      ),
    );
  }
  const turns = () => vi.advanceTimersByTimeAsync(0);

  test.each(["json", "text"])("a newline now and then, and the answer is what it was: %s", async (format) => {
    const engine = new SlowEngine();
    const asked = ask(engine, format);
    await turns();
    engine.rows.give("[1]");
    await turns();
    await vi.advanceTimersByTimeAsync(heartbeatMs);
    const response = await asked;
    expect(response.status).toBe(200);
    const coming = response.text();
    await vi.advanceTimersByTimeAsync(2 * heartbeatMs);
    engine.rows.give("[2]");
    await turns();
    engine.rows.give(null);
    const text = await coming;
    expect(text.split("\n")).toHaveLength(3);
    const whole = {
      results: [
        { command: "SELECT 2", columns: [{ name: "n", type: "int4" }], rows: [[1], [2]], rowCount: 2 },
      ],
      position: "7",
    };
    expect(JSON.parse(text)).toEqual(whole);
    expect(JSON.parse(text.replaceAll("\n", ""))).toEqual(whole);
    expect(engine.rows.isClosed).toBe(true);
  });

  test("before the first row, and the client reads through it", async () => {
    const engine = new SlowEngine();
    const asked = ask(engine, "json");
    await vi.advanceTimersByTimeAsync(heartbeatMs);
    const parts: unknown[] = [];
    const reading = (async () => {
      for await (const part of sqlParts((await asked).body!, () => new Error("broken") as never))
        parts.push(part);
    })();
    await vi.advanceTimersByTimeAsync(20 * minuteMs);
    engine.rows.give("[1]");
    await turns();
    engine.rows.give(null);
    await reading;
    expect(parts).toContainEqual({ kind: "rows", texts: ["[1]"] });
    expect(parts).toContainEqual({ kind: "end", command: "SELECT 1", rowCount: 1 });
  });

  test("nothing piles up for one who does not read", async () => {
    const engine = new SlowEngine();
    const asked = ask(engine, "json");
    await vi.advanceTimersByTimeAsync(heartbeatMs);
    const response = await asked;
    await vi.advanceTimersByTimeAsync(60 * minuteMs);
    const reader = response.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('{"results":[');
    await reader.cancel();
    engine.rows.give(null);
    await turns();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("an error that comes early has its status", async () => {
    const engine = new SlowEngine();
    const asked = ask(engine, "json");
    await vi.advanceTimersByTimeAsync(heartbeatMs - 1);
    engine.rows.give(new Error("no"));
    expect((await asked).status).toBe(500);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("an empty line now and then between lines", async () => {
    const engine = new SlowEngine();
    const asked = ask(engine, "json", { Accept: "application/x-ndjson" });
    await vi.advanceTimersByTimeAsync(heartbeatMs);
    const coming = (await asked).text();
    engine.rows.give('{"n":1}');
    await turns();
    await vi.advanceTimersByTimeAsync(2 * heartbeatMs);
    engine.rows.give('{"n":2}');
    await turns();
    engine.rows.give(null);
    expect(await coming).toBe('{"n":1}\n\n\n{"n":2}\n');
  });
});

describe("an answer that does not begin", () => {
  let h: Harness;
  beforeEach(async () => {
    h = await Harness.start({ heartbeatMs: 5 });
  });
  afterEach(() => h.stop());

  /** How many interim responses came before the answer, which is let go after `atLeast` of them. */
  async function interim(headers: Record<string, string>, atLeast: number): Promise<number> {
    let go = () => {};
    const waits = new Promise<void>((resolve) => {
      go = resolve;
    });
    const sql = h.engine.sql.bind(h.engine);
    h.engine.sql = async (...given) => {
      await waits;
      return sql(...given);
    };
    const sent = request(`${h.url}/v1/sql`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
    });
    let count = 0;
    sent.on("information", ({ statusCode }) => {
      expect(statusCode).toBe(102);
      if (++count >= atLeast) go();
    });
    sent.end(JSON.stringify({ sql: "FAIL" }));
    if (atLeast === 0) setTimeout(go, 50);
    const [answer] = await once(sent, "response");
    expect(answer.statusCode).toBe(404);
    answer.resume();
    return count;
  }

  test("102 for those who ask, and then its own status", async () => {
    expect(await interim({ Prefer: "processing" }, 3)).toBeGreaterThanOrEqual(3);
  });

  test("none for others", async () => {
    expect(await interim({}, 0)).toBe(0);
  });
});
