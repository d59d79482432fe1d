/** The page at /, in both color schemes, narrow and wide: with nothing, and with many views and the longest names. */
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { findChromium, launch } from "./chromium.ts";

const executablePath = findChromium();
const widths = [320, 375, 1280];
const longest = "a".repeat(63);

describe.skipIf(executablePath === undefined)("the default page", () => {
  let browser: Browser;
  let db: Database;
  let server: HttpServer;

  beforeAll(async () => {
    browser = await launch(executablePath as string);
  });

  afterAll(() => browser.close());

  afterEach(async () => {
    await server.close();
    await db.close();
  });

  async function open(statements: string): Promise<void> {
    db = await openInMemory();
    await sql(db, statements);
    server = await createHttpServer(db, { port: 0 });
  }

  /** What the page says, once it has been filled, in every form; nothing of it is beside the screen. */
  async function textOf(views: number): Promise<string> {
    const texts = new Set<string>();
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of widths) {
        const page = await browser.newPage({ colorScheme, viewport: { width, height: 700 } });
        const failures: string[] = [];
        page.on("pageerror", (error) => failures.push(String(error)));
        await page.goto(server.url);
        await page.waitForFunction(
          (rows) => document.querySelectorAll("#views td").length >= rows,
          Math.max(1, 4 * views),
        );
        const overhang = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect({ width, overhang, failures }).toEqual({ width, overhang: 0, failures: [] });
        texts.add(await page.evaluate(() => document.body.textContent));
        await page.close();
      }
    }
    expect(texts.size).toBe(1);
    return [...texts][0] as string;
  }

  test("of a database with nothing in it", async () => {
    await open("SELECT 1");
    expect((await textOf(0)).match(/None yet/g)).toHaveLength(2 + 2); // in the tables, and in the script
  });

  test("of many views and long names", async () => {
    const views = Array.from(
      { length: 100 },
      (_, i) => `CREATE MATERIALIZED VIEW v${i} AS SELECT k FROM ${longest}`,
    );
    await open(`CREATE TABLE ${longest} (k int4 PRIMARY KEY, ${longest} numeric(12,2)); ${views.join("; ")};
      INSERT INTO ${longest} VALUES (1, 2)`);
    await db.settled();
    expect(await textOf(100)).toContain(`${longest} numeric(12,2)`);
  });
});
