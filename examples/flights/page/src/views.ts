/**
 * The views this page shows, by name. What their rows are is said once, in the program that serves them: only types are imported
 * from it, so none of it reaches the browser.
 */

import { type RowOf, viewRef } from "evert/client";
import type {
  airportTraffic,
  delayHistogram,
  departures,
  hourlyTraffic,
  latestDepartures,
  loadProgress,
  onTimeByDistance,
  totals,
  worstRoutes,
} from "../../app.ts";

export const views = {
  airportTraffic: viewRef<typeof airportTraffic>("airport_traffic"),
  worstRoutes: viewRef<typeof worstRoutes>("worst_routes"),
  hourlyTraffic: viewRef<typeof hourlyTraffic>("hourly_traffic"),
  delayHistogram: viewRef<typeof delayHistogram>("delay_histogram"),
  onTimeByDistance: viewRef<typeof onTimeByDistance>("on_time_by_distance"),
  latestDepartures: viewRef<typeof latestDepartures>("latest_departures"),
  totals: viewRef<typeof totals>("totals"),
  loadProgress: viewRef<typeof loadProgress>("load_progress"),
};

export type AirportTraffic = RowOf<typeof airportTraffic>;
export type DistanceBand = RowOf<typeof onTimeByDistance>;
export type LatestDeparture = RowOf<typeof latestDepartures>;
export type Departure = RowOf<typeof departures>;

/** Ids of departures made on a page begin here; those of the data set are row numbers. */
export const ownIdMin = 1_000_000_000;
