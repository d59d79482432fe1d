/** evert check: reads and verifies every byte of a log that no server has open; with --repair, keeps of a damaged one what can be kept. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { EvertError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import type { CheckReport, Damage, RepairReport } from "../engine/tools.ts";
import { dataDirectory } from "./data-directory.ts";
import { bytesText } from "./lists.ts";
import { write } from "./output.ts";

interface CheckOptions {
  readonly data: string;
  readonly repair: boolean;
}

export function checkCommand(evert: Command): void {
  evert
    .command("check")
    .description("verify every byte of the log; the server must not be running")
    .option("--data <dir>", "the data directory", dataDirectory, "./evert-data")
    .option(
      "--repair",
      "keep what can be kept of a damaged log, and say what is lost; damaged files are moved aside",
      false,
    )
    .action(check);
}

async function check(options: CheckOptions): Promise<void> {
  if (!existsSync(options.data)) {
    throw new EvertError("not_found", `there is no data directory ${options.data}`, {
      hint: "--data says where it is.",
    });
  }
  const { checkDirectory, repairDirectory, topicNames, LOG_DIRECTORY } = await import("../engine/tools.ts");
  if (!existsSync(join(options.data, LOG_DIRECTORY))) {
    throw new EvertError("not_found", `there is no log in ${options.data}`, {
      detail: `A data directory has its log in ${LOG_DIRECTORY}/.`,
      hint: "--data says where the data directory is; evert start makes one.",
    });
  }
  const directory = resolve(options.data);
  // A repair does away with what they are known from.
  const names = await topicNames(directory, nodeDisk);
  if (options.repair) {
    const report = await repairDirectory(directory, nodeDisk, systemClock);
    await write(repairText(report, options.data, names));
    return;
  }
  const report = await checkDirectory(directory, nodeDisk);
  await write(reportText(report, names));
  if (report.damages.length === 0) return;
  throw new EvertError("log_damaged", `the log is damaged in ${count(report.damages.length, "place")}`, {
    hint: "Restore a backup; without one, `evert check --repair` keeps what can be kept. A server serves nothing that is damaged.",
  });
}

type Names = ReadonlyMap<number, string>;

/** A number is what lost.json has. */
function topicText(id: number, names: Names): string {
  const name = names.get(id);
  return name === undefined ? `topic ${id}` : `topic ${JSON.stringify(name)} (${id})`;
}

function reportText(report: CheckReport, names: Names): string {
  const lines = [
    `${count(report.segments, "segment")}${report.sealed === 0 ? "" : ` (${report.sealed} sealed)`}, ${count(report.frames, "frame")}, ${count(report.commits, "commit")}, ` +
      `${bytesText(report.bytes)} verified, last position ${report.lastPosition}`,
  ];
  if (report.tornTail !== null) {
    const { segment, byteOffset, bytes } = report.tornTail;
    lines.push(
      `${segment} at byte ${byteOffset}: a torn tail of ${count(bytes, "byte")}, never acknowledged; the next start cuts it off`,
    );
  }
  lines.push(...report.older.map(olderText));
  for (const damage of report.damages) lines.push(damageText(damage, names));
  if (report.damages.length === 0) lines.push("no damage");
  return `${lines.join("\n")}\n`;
}

function repairText(report: RepairReport, data: string, names: Names): string {
  const { damages, positions, rows, keys, older, commits, lastPosition, aside, moved } = report;
  const lines = damages.map((damage) => damageText(damage, names));
  lines.push("", `repaired: ${count(commits, "commit")} up to position ${lastPosition}`);
  for (const { first, last } of positions) lines.push(`lost: the commits at positions ${first} to ${last}`);
  for (const { topicId, firstOffset, lastOffset, firstPosition, lastPosition: last } of rows)
    lines.push(
      `lost: ${topicText(topicId, names)}, records ${firstOffset} to ${lastOffset}, of commits between positions ${firstPosition} and ${last}`,
    );
  for (const { first, last } of keys)
    lines.push(
      `lost: idempotency keys of commits between positions ${first} and ${last}: a request that is sent again under one is stored once more`,
    );
  lines.push(...older.map(olderText));
  lines.push(
    "What a topic had behind its last record that is left, nobody can tell.",
    "",
    `${count(moved.length, "damaged file")} in ${join(data, aside)}, and in lost.json there this list.`,
    "Next: evert start (views are made anew from the log); compare with what else you have of the lost commits; then make a new backup, not into an older one's directory.",
  );
  return `${lines.join("\n")}\n`;
}

function olderText({ segment, instead }: RepairReport["older"][number]): string {
  return (
    `${segment}, an earlier form that is sound, stands for ${instead}, which is damaged: ` +
    "records taken out of it in between (erased, compacted, given up) are there again; what was erased is to be erased again"
  );
}

function damageText(damage: Damage, names: Names): string {
  const { segment, byteOffset, bytes, reason, firstPosition, lastPosition, topics } = damage;
  const lines = [`${segment} at byte ${byteOffset}: damaged, ${count(bytes, "byte")}: ${reason}`];
  if (firstPosition !== null) lines.push(`  positions ${firstPosition} to ${lastPosition} cannot be read`);
  for (const { topicId, firstOffset, lastOffset } of topics) {
    lines.push(`  ${topicText(topicId, names)}: records ${firstOffset} to ${lastOffset} cannot be read`);
  }
  return lines.join("\n");
}

function count(number: number, what: string): string {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}
