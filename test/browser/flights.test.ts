/** The flights example in a real browser: its own server, its own page, and somebody who uses it. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as app from "../../examples/flights/app.ts";
import { count, decimal, delayText, percent } from "../../examples/flights/page/src/format.ts";
import type { RowOf } from "../../src/client/index.ts";
import { open } from "../../src/index.ts";
import { removeChecked } from "../support/left-behind.ts";
import { findChromium, launch } from "./chromium.ts";
import { FlightsServer } from "./flights-server.ts";

const executablePath = findChromium();
/** Of the three million: enough for every chart of the page. */
const ROWS = 20_000;
const HISTORY = Math.floor((ROWS * 5) / 6);
const OHARE = "Chicago O'Hare International";

/** Counted up, so that each test has departures of its own. */
let ownId = 1_000_000_000;

function ownDeparture(destination: string, delay = 45): object {
  const id = ownId++;
  return { id, departed_at: "2001-01-01T12:00:00Z", delay, distance: 740, origin: "ORD", destination };
}

describe.skipIf(executablePath === undefined)("the flights page", () => {
  let dir: string;
  let server: FlightsServer;
  let browser: Browser;
  let page: Page;
  const failures: string[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "evert-flights-"));
    server = await FlightsServer.start(dir, ROWS);
    browser = await launch(executablePath as string);
    page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
    page.on("pageerror", (error) => failures.push(error.message));
    page.on("console", (message) => {
      // A server that is away is what one of the tests is about.
      if (message.type() === "error" && !message.text().includes("ERR_CONNECTION_REFUSED"))
        failures.push(message.text());
    });
    await page.goto(server.url);
    // A reload would lose it.
    await page.evaluate(() => Object.assign(window, { loadedOnce: true }));
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await removeChecked(dir);
  });

  test("fills while history is loaded, and replays at the pace that is set on it", async () => {
    await page.waitForSelector('.progress[data-finished="true"]', { state: "attached" });
    await expect.poll(() => flightsShown(page)).toBeGreaterThanOrEqual(HISTORY);
    await page.click('.pace button:text-is("1,000")');
    await page.waitForSelector('.pace button[aria-pressed="true"]:text-is("1,000")');
    const before = await flightsShown(page);
    await expect.poll(() => flightsShown(page)).toBeGreaterThan(before + 100);
    await pause(page);
    await expectFiguresOf(page, server);
  });

  test("shows a departure of one's own in every figure, and takes it back", async () => {
    const [before] = await server.rows<RowOf<typeof app.totals>>("totals");
    const flights = before!.flights;
    const ofOhare = await airportFlights(page);

    await page.selectOption('.own label:has-text("To") select', "MIA");
    await page.fill('.own input[type="number"]', "77");
    await page.click('.own button:text-is("Depart")');
    await page.waitForSelector(".own .list li");
    expect(await page.textContent(".own .outcome")).toMatch(
      /^Stored at position [\d,]+, on screen after [\d,]+ ms$/,
    );
    expect(await flightsShown(page)).toBe(flights + 1);
    expect(await airportFlights(page)).toBe(ofOhare + 1);
    expect(await page.textContent(".latest tr:first-child")).toContain("MIA");
    expect(await page.textContent(".latest tr:first-child .delay")).toBe(delayText(77));
    await expectFiguresOf(page, server);

    await page.click('.own .list button:text-is("Take back")');
    await page.waitForSelector(".own .list li", { state: "detached" });
    expect(await flightsShown(page)).toBe(flights);
    expect(await airportFlights(page)).toBe(ofOhare);
    await expectFiguresOf(page, server);
    const departures = await server.rows<RowOf<typeof app.latestDepartures>>("latest_departures");
    expect(
      departures.filter((row) => row.delay === 77 && row.destination === "MIA" && row.origin === "ORD"),
    ).toEqual([]);
  });

  test("shows a new name everywhere in one frame", async () => {
    // The bad day of a route to and from O'Hare brings its name among the worst ten as well.
    for (let i = 0; i < 100; i++)
      await server.append("departures", { ...ownDeparture("EUG", 1_400), origin: "ORD" });
    await page.waitForFunction(
      (name) => document.querySelector(".routes")?.textContent?.includes(name),
      OHARE,
    );
    await hoverAirport(page, "ORD");
    const places = await occurrences(page, OHARE);
    expect(Object.keys(places).sort()).toEqual(["airport", "map", "own", "routes"]);

    const name = "Orchard Field";
    await watchNames(page, OHARE, name);
    await page.click('.airport button:text-is("Rename")');
    await page.fill('.airport input[aria-label="New name"]', name);
    await page.click('.airport button:text-is("Save")');
    await page.waitForSelector(`[data-testid="airport-name"]:text-is("${name}")`);
    const seen = await page.evaluate(() => (window as unknown as Watching).namesSeen);
    expect(seen.both).toEqual([]);
    expect(seen.frames).toBeGreaterThan(0);
    expect(seen.changes).toBe(1);
    await hoverAirport(page, "ORD");
    expect(await occurrences(page, name)).toEqual(places);
    expect(await occurrences(page, OHARE)).toEqual({});
    await expectFiguresOf(page, server);
  });

  test("goes on by itself when the server was away, and misses nothing", async () => {
    const { port } = server;
    const before = await flightsShown(page);
    expect(await server.stop()).toBe(0);
    await page.waitForSelector('.status[data-status="reconnecting"]');
    expect(await flightsShown(page)).toBe(before);

    // Somebody else opens the log in the meantime.
    const db = await open({
      dir,
      topics: [app.departures, app.takebacks, app.airports, app.replay, app.loading],
    });
    await db.append(app.departures, ownDeparture("LAX") as never);
    await db.append(app.departures, [ownDeparture("LAX"), ownDeparture("SFO")] as never);
    await db.sql("UPDATE airports SET name = 'O''Hare' WHERE iata = 'ORD'");
    await db.close();

    server = await FlightsServer.start(dir, ROWS, port);
    await server.append("departures", ownDeparture("SEA"));
    await page.waitForSelector('.status[data-status="live"]');
    await expect.poll(() => flightsShown(page)).toBe(before + 4);
    await page.waitForSelector(`[data-testid="airport-name"]:text-is("O'Hare")`);
    await expectFiguresOf(page, server);

    // And it still is the live page that it was.
    await server.append("departures", ownDeparture("DEN"));
    await expect.poll(() => flightsShown(page)).toBe(before + 5);
    await expectFiguresOf(page, server);
    expect(await page.evaluate(() => "loadedOnce" in window)).toBe(true);
  });

  test("did all of this without an error in the page", () => {
    expect(failures).toEqual([]);
  });
});

interface Watching {
  namesSeen: { frames: number; changes: number; both: string[] };
}

/** From now on every state the page could paint is looked at: after each batch of mutations, and in each frame. */
async function watchNames(page: Page, before: string, after: string): Promise<void> {
  await page.evaluate(
    ([old, fresh]) => {
      const seen: Watching["namesSeen"] = { frames: 0, changes: 0, both: [] };
      let shown = "";
      const look = (when: string): void => {
        const text = document.body.textContent ?? "";
        const names = [old, fresh].filter((name) => text.includes(name as string)).join(" and ");
        if (names.includes(" and ")) seen.both.push(when);
        if (shown !== "" && names !== "" && names !== shown) seen.changes++;
        if (names !== "") shown = names;
      };
      const frame = (): void => {
        seen.frames++;
        look("in a frame");
        requestAnimationFrame(frame);
      };
      new MutationObserver(() => look("after a change")).observe(document.body, {
        subtree: true,
        childList: true,
        characterData: true,
      });
      requestAnimationFrame(frame);
      look("at first");
      Object.assign(window, { namesSeen: seen });
    },
    [before, after],
  );
}

/** In which parts of the page a text stands, and how often. */
async function occurrences(page: Page, text: string): Promise<Record<string, number>> {
  return page.evaluate((wanted) => {
    const found: Record<string, number> = {};
    for (const part of document.querySelectorAll("main > section")) {
      const n = (part.textContent ?? "").split(wanted).length - 1;
      if (n > 0) found[part.className] = n;
    }
    return found;
  }, text);
}

async function hoverAirport(page: Page, iata: string): Promise<void> {
  const marker = page.locator('.marker[data-named="true"]', { hasText: iata }).locator("circle");
  await marker.scrollIntoViewIfNeeded();
  const box = await marker.boundingBox();
  if (box === null) throw new Error(`${iata} is not on the map`);
  await page.mouse.move(0, 0);
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.waitForSelector(`.tooltip b:text-is("${iata}")`);
}

async function pause(page: Page): Promise<void> {
  await page.click('.pace button[aria-label="Pause"]');
  await page.waitForSelector('.pace button[aria-label="Go on"]');
}

async function flightsShown(page: Page): Promise<number> {
  return Number((await page.textContent('[data-testid="flights"]'))?.replaceAll(",", ""));
}

async function airportFlights(page: Page): Promise<number> {
  return Number((await page.textContent('[data-testid="airport-flights"]'))?.replaceAll(",", ""));
}

/** What stands on the page, beside what the server answers to somebody who asks. Comes to rest when the last frame has. */
async function expectFiguresOf(page: Page, server: FlightsServer): Promise<void> {
  await expect
    .poll(async () => ({ shown: await shown(page), asked: await asked(server) }))
    .toSatisfy(({ shown, asked }) => JSON.stringify(shown) === JSON.stringify(asked));
  expect(await shown(page)).toEqual(await asked(server));
}

interface Figures {
  readonly hero: string[];
  readonly airport: string[];
  readonly circles: number;
  readonly hours: string[];
  readonly bands: string[];
  readonly routes: string[];
}

async function asked(server: FlightsServer): Promise<Figures> {
  const [totals, traffic, hours, bands, routes] = await Promise.all([
    server.rows<RowOf<typeof app.totals>>("totals"),
    server.rows<RowOf<typeof app.airportTraffic>>("airport_traffic"),
    server.rows<RowOf<typeof app.hourlyTraffic>>("hourly_traffic"),
    server.rows<RowOf<typeof app.onTimeByDistance>>("on_time_by_distance"),
    server.rows<RowOf<typeof app.worstRoutes>>("worst_routes"),
  ]);
  const total = totals[0]!;
  const ohare = traffic.find((row) => row.iata === "ORD")!;
  return {
    hero: [count(total.flights), percent(total.on_time / total.flights), `${decimal(total.mean_delay)}min`],
    airport: [ohare.name, count(ohare.flights), `${decimal(ohare.mean_delay)}min`],
    circles: traffic.filter((row) => !["GU", "PR", "VI"].includes(row.state)).length,
    hours: hours.map((row) => `${count(row.flights)} departures, ${decimal(row.mean_delay)} min late`),
    bands: bands.slice(0, 7).map((row) => `${count(row.on_time)} of ${count(row.flights)} departures`),
    routes: routes.map((row) =>
      [
        `${row.origin} ${row.destination}`,
        `${row.origin_name} to ${row.destination_name}`,
        `${decimal(row.mean_delay)} min`,
        `${count(row.flights)} flights`,
      ].join(", "),
    ),
  };
}

async function shown(page: Page): Promise<Figures> {
  return page.evaluate(() => {
    const texts = (selector: string, root: ParentNode = document): string[] =>
      [...root.querySelectorAll(selector)].map((element) => element.textContent ?? "");
    const [onTime, meanDelay] = texts(".hero .figures dd");
    const hours = texts('[aria-label="Departures by hour of the day"] title')
      .map((title) => title.split(" · ")[1] ?? "")
      .filter((title) => !title.startsWith("0 "));
    return {
      hero: [...texts('[data-testid="flights"]'), onTime ?? "", meanDelay ?? ""],
      airport: [...texts('[data-testid="airport-name"]'), ...texts(".airport .figures dd")],
      circles: document.querySelectorAll(".airports circle").length,
      hours,
      bands: [...document.querySelectorAll<HTMLElement>(".bands li")].slice(0, 7).map((li) => li.title),
      routes: [...document.querySelectorAll(".routes li")].map((li) =>
        [
          texts(".codes b", li).join(" "),
          texts(".names", li)[0],
          texts(".value", li)[0],
          texts(".flights", li)[0],
        ].join(", "),
      ),
    };
  });
}
