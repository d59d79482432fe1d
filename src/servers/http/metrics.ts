/** The engine's figures and the server's own, for Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { DatabaseStats, Engine, TopicInfo, ViewInfo } from "../../engine/api.ts";
import { consumerMetrics } from "./consumer-metrics.ts";
import { replicationMetrics } from "./replication-metrics.ts";
import { viewsByName } from "./views-by-name.ts";

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  /** Call with each request's outcome; `route` is the pattern, not the path. */
  requestDone(method: string, route: string, status: number, seconds: number): void;
  /** Call when an event stream opens, and what it gives when that stream ends. */
  streamOpened(): () => void;
  /** The same for a WebSocket. */
  socketOpened(): () => void;
}

const engineCounters: Record<string, [help: string, value: (stats: DatabaseStats) => number]> = {
  evert_commits_total: ["Commits in the log", (s) => s.commits],
  evert_records_total: ["Records ever appended", (s) => s.records],
  evert_log_removed_records_total: [
    "Records that retention and compaction have taken out of the log since the start",
    (s) => s.removedRecords,
  ],
  evert_log_removed_bytes_total: ["Bytes of the log that went with them", (s) => s.removedBytes],
  evert_steps_total: ["Steps of the engine since the start", (s) => s.steps],
  evert_decoded_values_total: [
    "Values that steps have taken from the log's columns since the start",
    (s) => s.decodedValues,
  ],
  evert_step_seconds_total: ["Time spent in steps since the start", (s) => s.stepSeconds],
};

const engineGauges: Record<string, [help: string, value: (stats: DatabaseStats) => number]> = {
  evert_position: ["Newest position that reads reflect", (s) => Number(s.position)],
  evert_checkpoint_position: ["Position of the last checkpoint", (s) => Number(s.checkpointPosition)],
  evert_log_bytes: ["Bytes of the log on disk", (s) => s.logBytes],
  evert_log_segments: ["Segments of the log", (s) => s.segments],
  evert_log_sealed_segments: ["Segments of the log in sealed form", (s) => s.sealedSegments],
  evert_log_unsealed_segments: ["Full segments that wait to be sealed", (s) => s.unsealedSegments],
  evert_log_sealed_bytes: ["Bytes of sealed segments on disk", (s) => s.sealedBytes],
  evert_log_sealed_original_bytes: [
    "Bytes the sealed segments had before they were sealed",
    (s) => s.sealedOriginalBytes,
  ],
  evert_log_sealing_failed: [
    "1 while the last attempt to seal a segment has failed",
    (s) => Number(s.sealingFailed),
  ],
  evert_log_keeping_failed: [
    "1 while the last attempt to take records out of the log, as retention and compaction say, has failed",
    (s) => Number(s.keepingFailed),
  ],
  evert_state_bytes: ["Bytes of state in memory", (s) => s.stateBytes],
  evert_state_limit_bytes: ["Bytes of state that may be in memory", (s) => s.memoryLimit],
  evert_state_cold_bytes: ["Bytes of files of rows that are not in memory", (s) => s.coldBytes],
  evert_dictionary_bytes: ["Bytes of interned values in memory", (s) => s.dictionaryBytes],
  evert_subscribers: ["Open subscriptions", (s) => s.subscribers],
  evert_longest_pause_seconds: [
    "Longest time the engine kept the event loop",
    (s) => s.longestPauseMs / 1000,
  ],
};

const topicGauges: Record<string, [help: string, value: (topic: TopicInfo) => number]> = {
  evert_topic_start: ["Offset of the topic's first record that is there", (t) => t.start],
  evert_topic_held_back: ["Views that hold back records which might go", (t) => t.heldBackBy.length],
};

const viewCounters: Record<string, [help: string, value: (view: ViewInfo) => number]> = {
  evert_view_rows_in_total: [
    "Changes the view's operators have taken from topics and other views",
    (v) => v.rowsIn,
  ],
  evert_view_rows_out_total: ["Changes of the view's rows", (v) => v.rowsOut],
  evert_view_step_seconds_total: ["Time the view's operators have worked", (v) => v.stepSeconds],
};

const viewGauges: Record<string, [help: string, value: (view: ViewInfo) => number]> = {
  evert_view_rows: ["Rows of the view", (v) => v.rows],
  evert_view_state_bytes: ["Bytes of state the view holds in memory", (v) => v.stateBytes],
  evert_view_cold_bytes: ["Bytes of state the view holds on disk", (v) => v.coldBytes],
  evert_view_lag_commits: ["Commits the view is behind the log", (v) => v.lag],
  evert_view_build_progress: ["How much of the view is built, 0 to 1", (v) => v.progress],
  evert_view_errors: ["Rows in the view's error collection", (v) => v.errors],
  evert_view_skipped_rows: ["Rows the view leaves out because of an error", (v) => v.skipped],
  evert_view_failed: ["1 while the view has stopped", (v) => Number(v.status === "failed")],
  evert_view_sink_refused: [
    "1 while the view cannot be appended to its sink",
    (v) => Number("sinkError" in v),
  ],
};

export function createMetrics(engine: Engine): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  // One look at the engine serves all metrics of a scrape.
  let stats = engine.stats();
  let views = viewsByName(engine);
  let topics = engine.topics();

  for (const [name, [help, value]] of Object.entries(engineCounters)) {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value(stats));
      },
    });
  }
  for (const [name, [help, value]] of Object.entries(engineGauges)) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value(stats));
      },
    });
  }
  for (const [name, [help, value]] of Object.entries(topicGauges)) {
    new Gauge({
      name,
      help,
      registers,
      labelNames: ["topic"],
      collect() {
        this.reset();
        for (const topic of topics) {
          // Most topics keep everything: a line for each would say nothing.
          if (topic.keeping !== null || topic.start > 0) this.set({ topic: topic.name }, value(topic));
        }
      },
    });
  }
  for (const [name, [help, value]] of Object.entries(viewCounters)) {
    new Counter({
      name,
      help,
      registers,
      labelNames: ["view"],
      collect() {
        this.reset();
        for (const view of views) this.inc({ view: view.name }, value(view));
      },
    });
  }
  for (const [name, [help, value]] of Object.entries(viewGauges)) {
    new Gauge({
      name,
      help,
      registers,
      labelNames: ["view"],
      collect() {
        // A view that was dropped must not be reported any more.
        this.reset();
        for (const view of views) this.set({ view: view.name }, value(view));
      },
    });
  }
  const replication = replicationMetrics(registry, engine);
  const consumers = consumerMetrics(registry, engine);
  const requests = new Histogram({
    name: "evert_http_request_seconds",
    help: "Time to the first byte of an answer",
    registers,
    labelNames: ["method", "route", "status"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  });
  const streams = new Gauge({ name: "evert_http_event_streams", help: "Open event streams", registers });
  const sockets = new Gauge({ name: "evert_http_websockets", help: "Open WebSockets", registers });

  return {
    contentType: registry.contentType,
    async text() {
      await consumers.look();
      stats = engine.stats();
      views = viewsByName(engine);
      replication.look();
      topics = engine.topics();
      return registry.metrics();
    },
    requestDone(method, route, status, seconds) {
      requests.observe({ method, route, status }, seconds);
    },
    streamOpened() {
      streams.inc();
      return () => streams.dec();
    },
    socketOpened() {
      sockets.inc();
      return () => sockets.dec();
    },
  };
}
