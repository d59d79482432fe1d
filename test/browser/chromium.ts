/** Where a Chromium is on this machine; the browser tests are skipped, loudly, where there is none. */
import { existsSync } from "node:fs";

const places = [
  process.env["CHROMIUM_PATH"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

export function findChromium(): string | undefined {
  return places.find((path) => path !== undefined && path !== "" && existsSync(path));
}
