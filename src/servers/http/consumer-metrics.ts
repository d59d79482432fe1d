/** How far consumers are behind, for Prometheus. */
import { Gauge, type Registry } from "prom-client";
import type { ConsumerInfo, ConsumerProgress, Engine } from "../../engine/api.ts";

const gauges: Record<string, [help: string, value: (progress: ConsumerProgress) => number]> = {
  evert_consumer_lag_records: ["Records of the topic that the consumer is yet to read", (p) => p.lag],
  evert_consumer_lost_records: [
    "Records that were given up before the consumer had read them",
    (p) => p.lost,
  ],
};

/** `look` is called before each scrape. */
export function consumerMetrics(registry: Registry, engine: Engine): { look(): Promise<void> } {
  let consumers: readonly ConsumerInfo[] = [];
  for (const [name, [help, value]] of Object.entries(gauges)) {
    new Gauge({
      name,
      help,
      registers: [registry],
      labelNames: ["consumer", "topic"],
      collect() {
        this.reset();
        for (const { name: consumer, topics } of consumers)
          for (const progress of topics) this.set({ consumer, topic: progress.topic }, value(progress));
      },
    });
  }
  return {
    async look() {
      // Where it is not known yet, or the disk has failed, the other figures are told all the same.
      const { ready, progress } = engine.readiness();
      if (!ready || progress < 1) return;
      consumers = await engine.consumers().catch(() => []);
    },
  };
}
