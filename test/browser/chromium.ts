/** The Chromium of this machine; the browser tests are skipped, loudly, where there is none. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const places = [
  process.env["CHROMIUM_PATH"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Says so where there is none. */
export function findChromium(): string | undefined {
  const found = places.find((path) => path !== undefined && path !== "" && existsSync(path));
  if (found === undefined)
    console.warn(
      "SKIPPED: the browser tests, for there is no Chromium here. `npm test` says how to get one.",
    );
  return found;
}

/** Without a window, and without anything that asks the network by itself. */
export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--headless=new",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
