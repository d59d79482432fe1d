/** Run by `npm test`: sees to it that there is a Chromium for the browser tests, or says why they will be skipped. */
import { spawnSync } from "node:child_process";
import { findChromium } from "../test/browser/chromium.ts";

function run(command: string, args: readonly string[]): string | null {
  const { status, error } = spawnSync(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  return status === 0
    ? null
    : `\`${command} ${args.join(" ")}\` failed: ${error?.message ?? `exit ${status}`}`;
}

function install(): string | null {
  if (process.platform !== "linux") return "it is installed by itself on Debian and Ubuntu only";
  if (process.getuid?.() !== 0) return "only root may install it (apt-get install -y chromium)";
  return (
    run("apt-get", ["update"]) ?? run("apt-get", ["install", "-y", "--no-install-recommends", "chromium"])
  );
}

const reason = findChromium() === undefined ? install() : null;
if (findChromium() === undefined) {
  console.error(
    [
      "",
      "  ! No Chromium: the browser tests will be SKIPPED.",
      `    ${reason ?? "the package installed none"}`,
      "    Install one, or point CHROMIUM_PATH at its executable.",
      "",
    ].join("\n"),
  );
}
