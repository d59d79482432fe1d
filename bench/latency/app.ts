/** Readings of sensors, and what each sent last: what both servers of the latency bench serve. */
import { int4, int8, sql, topic, view } from "../../src/index.ts";

export const readings = topic("readings", { schema: { sensor: int4, number: int8 } });

export interface Latest {
  sensor: number;
  latest: number;
  readings: number;
}

export const latest = view(
  "latest",
  sql<Latest>`
    SELECT sensor, max(number) AS latest, count(*) AS readings FROM ${readings} GROUP BY sensor ORDER BY sensor`,
);

/** Sensors of the steady stream; the page sends its own readings as sensor PAGE_SENSOR. */
export const SENSORS = 100;
export const PAGE_SENSOR = 1_000;
