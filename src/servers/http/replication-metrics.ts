/** Figures of replicas for Prometheus: how far this copy is behind its leader, and its followers behind it. */
import { Gauge, type Registry } from "prom-client";
import type { Engine } from "../../engine/api.ts";
import type { FollowingInfo, ReplicationInfo } from "../../engine/replica/api.ts";

const gauges: Record<string, [help: string, value: (info: ReplicationInfo) => number]> = {
  evert_epoch: ["Epoch of the leadership that the log knows of", (r) => r.epoch],
  evert_leading: ["1 where the log is led here", (r) => Number(r.role === "leader")],
  evert_followers: ["Replicas connected to this leader", (r) => r.followers.length],
};

const followingGauges: Record<string, [help: string, value: (following: FollowingInfo) => number]> = {
  evert_replica_connected: [
    "1 while this replica follows its leader",
    (f) => Number(f.state === "following"),
  ],
  evert_replica_lag_positions: [
    "Commits of the leader that this replica has not",
    (f) => f.lagPositions ?? 0,
  ],
  evert_replica_lag_bytes: ["Bytes of the leader's log that have not come yet", (f) => f.lagBytes ?? 0],
  evert_replica_lag_seconds: [
    "Seconds since this replica was last known to have all that its leader has",
    (f) => f.lagSeconds,
  ],
};

/** `look` once before each scrape. */
export function replicationMetrics(registry: Registry, engine: Engine): { look(): void } {
  const registers = [registry];
  let info = engine.replication.info();
  for (const [name, [help, value]] of Object.entries(gauges)) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value(info));
      },
    });
  }
  for (const [name, [help, value]] of Object.entries(followingGauges)) {
    new Gauge({
      name,
      help,
      registers,
      labelNames: ["leader"],
      collect() {
        // A leader follows nobody.
        this.reset();
        if (info.following !== undefined) this.set({ leader: info.following.leader }, value(info.following));
      },
    });
  }
  new Gauge({
    name: "evert_follower_lag_bytes",
    help: "Bytes of the log that a follower has not been sent",
    registers,
    labelNames: ["follower"],
    collect() {
      this.reset();
      for (const { id, behindBytes } of info.followers) this.set({ follower: id }, behindBytes);
    },
  });
  return {
    look() {
      info = engine.replication.info();
    },
  };
}
