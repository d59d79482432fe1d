/**
 * Three million departures, what is known of airports, and eight views of them.
 *
 * Facts come in through four topics. A departure that should not have been recorded is not edited: a fact that takes it back is
 * appended, and `flown` leaves it out. Everything the page shows is a view; nothing here says when or how to update any of them.
 */
import { bool, float8, int4, int8, sql, table, text, timestamptz, topic, view } from "../../src/index.ts";

export const departures = topic("departures", {
  schema: {
    id: int8,
    departed_at: timestamptz,
    /** Minutes; negative when early. */
    delay: int4,
    /** Miles. */
    distance: int4,
    origin: text,
    destination: text,
  },
});

export const takebacks = topic("takebacks", { schema: { departure_id: int8 } });

export const airports = table("airports", {
  key: "iata",
  schema: {
    iata: text,
    name: text,
    city: text,
    state: text,
    country: text,
    latitude: float8,
    longitude: float8,
  },
});

/** How fast the last month is replayed: one row, set by the page. */
export const replay = table("replay", { key: "id", schema: { id: int4, pace: int4, paused: bool } });

/** What the loader reports of itself: one row. */
export const loading = table("loading", {
  key: "id",
  schema: { id: int4, loaded: int8, total: int8, finished: bool, events_per_second: float8, views: int4 },
});

interface Departure {
  id: number;
  departed_at: string;
  delay: number;
  distance: number;
  origin: string;
  destination: string;
}

/** Departures that have not been taken back. */
export const flown = view(
  "flown",
  sql<Departure>`
    SELECT d.id, d.departed_at, d.delay, d.distance, d.origin, d.destination
    FROM ${departures} d LEFT JOIN ${takebacks} t ON t.departure_id = d.id
    WHERE t.departure_id IS NULL`,
);

export const airportTraffic = view(
  "airport_traffic",
  sql<{
    iata: string;
    name: string;
    city: string;
    state: string;
    latitude: number;
    longitude: number;
    flights: number;
    mean_delay: number;
  }>`
    SELECT a.iata, a.name, a.city, a.state, a.latitude, a.longitude,
           count(*) AS flights, avg(f.delay)::float8 AS mean_delay
    FROM ${flown} f JOIN ${airports} a ON a.iata = f.origin
    GROUP BY a.iata, a.name, a.city, a.state, a.latitude, a.longitude`,
);

/** Of the routes flown at least a hundred times. */
export const worstRoutes = view(
  "worst_routes",
  sql<{
    origin: string;
    destination: string;
    origin_name: string;
    destination_name: string;
    flights: number;
    mean_delay: number;
  }>`
    SELECT r.origin, r.destination, o.name AS origin_name, d.name AS destination_name, r.flights, r.mean_delay
    FROM (SELECT origin, destination, count(*) AS flights, avg(delay)::float8 AS mean_delay
          FROM ${flown} GROUP BY origin, destination HAVING count(*) >= 100) r
    JOIN ${airports} o ON o.iata = r.origin
    JOIN ${airports} d ON d.iata = r.destination
    ORDER BY r.mean_delay DESC, r.origin, r.destination LIMIT 10`,
);

export const hourlyTraffic = view(
  "hourly_traffic",
  sql<{ hour: number; flights: number; mean_delay: number }>`
    SELECT extract(hour FROM departed_at)::int4 AS hour, count(*) AS flights, avg(delay)::float8 AS mean_delay
    FROM ${flown} GROUP BY extract(hour FROM departed_at)::int4 ORDER BY hour`,
);

/** By quarters of an hour; what is over three hours late stands in the last bucket. */
export const delayHistogram = view(
  "delay_histogram",
  sql<{ bucket: number; flights: number }>`
    SELECT greatest(-60, least(180, floor(delay / 15.0::float8)::int4 * 15)) AS bucket, count(*) AS flights
    FROM ${flown} GROUP BY greatest(-60, least(180, floor(delay / 15.0::float8)::int4 * 15)) ORDER BY bucket`,
);

/** On time is, as the airlines count it, less than fifteen minutes late. */
export const onTimeByDistance = view(
  "on_time_by_distance",
  sql<{ band: number; flights: number; on_time: number; share: number }>`
    SELECT distance / 250 * 250 AS band, count(*) AS flights,
           count(*) FILTER (WHERE delay < 15) AS on_time,
           count(*) FILTER (WHERE delay < 15)::float8 / count(*)::float8 AS share
    FROM ${flown} GROUP BY distance / 250 * 250 ORDER BY band`,
);

export const latestDepartures = view(
  "latest_departures",
  sql<{
    id: number;
    origin: string;
    departed_at: string;
    destination: string;
    destination_name: string | null;
    distance: number;
    delay: number;
  }>`
    SELECT l.id, l.origin, l.departed_at, l.destination, a.name AS destination_name, l.distance, l.delay
    FROM (SELECT f.*, row_number() OVER (PARTITION BY origin ORDER BY departed_at DESC, id DESC) AS n
          FROM ${flown} f) l
    LEFT JOIN ${airports} a ON a.iata = l.destination
    WHERE l.n <= 8
    ORDER BY origin, departed_at DESC, id DESC`,
);

export const totals = view(
  "totals",
  sql<{ flights: number; on_time: number; mean_delay: number }>`
    SELECT count(*) AS flights, count(*) FILTER (WHERE delay < 15) AS on_time, avg(delay)::float8 AS mean_delay
    FROM ${flown}`,
);

export const loadProgress = view(
  "load_progress",
  sql<{
    id: number;
    loaded: number;
    total: number;
    finished: boolean;
    events_per_second: number;
    views: number;
    pace: number;
    paused: boolean;
  }>`
    SELECT l.id, l.loaded, l.total, l.finished, l.events_per_second, l.views, r.pace, r.paused
    FROM ${loading} l JOIN ${replay} r ON r.id = l.id`,
);

/** How many rows of the data set the log has: where the loader goes on. Departures of one's own have larger ids. */
export const loadedRows = view(
  "loaded_rows",
  sql<{ rows: number }>`SELECT count(*) AS rows FROM ${departures} WHERE id < 1000000000`,
);
