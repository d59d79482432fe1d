/** evert replicas: who follows whom, and how far behind. evert promote: a replica becomes the leader. */
import type { Command } from "commander";
import type { PromotionAnswer, ReplicationAnswer } from "../client/protocol.ts";
import { bytesText, type ListOptions, listFormat } from "./lists.ts";
import { write } from "./output.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";
import { tableText } from "./tables.ts";

export function replicasCommand(evert: Command): void {
  withRemote(
    evert
      .command("replicas")
      .description("whom the server follows or who follows it, and how far behind")
      .addOption(listFormat()),
  ).action(replicas);
}

export function promoteCommand(evert: Command): void {
  withRemote(
    evert
      .command("promote")
      .description("make a replica the leader; the former leader is told, and takes no writes"),
  ).action(promote);
}

async function replicas(options: ListOptions): Promise<void> {
  const answer = await new Remote(options).get<ReplicationAnswer>("/v1/replication");
  if (options.format === "json") return write(`${JSON.stringify(answer)}\n`);
  const { role, epoch, position, following, followers } = answer;
  const columns = [
    { name: "server", type: "text" },
    { name: "role", type: "text" },
    { name: "epoch", type: "number" },
    { name: "position", type: "number" },
    { name: "behind", type: "number" },
    { name: "bytes behind", type: "text" },
    { name: "state", type: "text" },
  ];
  const rows: (string | null)[][] = [];
  if (following !== undefined) {
    const { leader, leaderPosition, state, error } = following;
    rows.push([leader, "leader", null, leaderPosition ?? null, null, null, null]);
    rows.push([
      "this one",
      role,
      String(epoch),
      position,
      following.lagPositions === undefined ? null : String(following.lagPositions),
      following.lagBytes === undefined ? null : bytesText(Number(following.lagBytes)),
      error === undefined ? state : `${state}: ${error.message}`,
    ]);
  } else rows.push(["this one", role, String(epoch), position, null, null, null]);
  for (const follower of followers) {
    const behind = Math.max(0, Number(position) - Number(follower.position));
    const bytes = bytesText(Number(follower.behindBytes));
    rows.push([follower.id, "follower", null, follower.position, String(behind), bytes, "following"]);
  }
  await write(`${tableText(columns, rows)}\n`);
}

async function promote(options: RemoteOptions): Promise<void> {
  const { epoch, position } = await new Remote(options).send<PromotionAnswer>("POST", "/v1/promote", {});
  await write(`leader of epoch ${epoch}, from position ${position} on\n`);
}
