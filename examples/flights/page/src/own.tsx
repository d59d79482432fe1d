/** A departure of one's own: appended like any other; and taken back by another fact, for a stream is never edited. */

import { geoDistance } from "d3-geo";
import { useEvert, useView } from "evert/react";
import { type FormEvent, useState } from "react";
import { AirportSelect } from "./airport.tsx";
import { delayText, lateStyle } from "./format.ts";
import { Outcome } from "./outcome.tsx";
import { useSubmit } from "./use-submit.ts";
import { type AirportTraffic, type Departure, ownIdMin, views } from "./views.ts";

const earthMiles = 3958.8;
const storageKey = "evert-own-departures";

interface OwnProps {
  readonly origin: string;
  readonly airports: readonly AirportTraffic[];
}

export function OwnDepartures({ origin, airports }: OwnProps) {
  const client = useEvert();
  const { submit, busy, error, receipt } = useSubmit(views.totals);
  const [destination, setDestination] = useState("JFK");
  const [delay, setDelay] = useState("0");
  const [own, setOwn] = useState(storedDepartures);
  const { rows: latest } = useView(views.latestDepartures);

  const keep = (departures: readonly Departure[]) => {
    localStorage.setItem(storageKey, JSON.stringify(departures));
    setOwn(departures);
  };

  const depart = async (event: FormEvent) => {
    event.preventDefault();
    // It leaves now, by the clock of the replay: among the latest, and in the right hour of the day.
    let departedAt = "";
    for (const row of latest) if (row.departed_at > departedAt) departedAt = row.departed_at;
    const departure: Departure = {
      id: ownIdMin + Math.floor(Math.random() * 8e15),
      departed_at: departedAt || new Date().toISOString(),
      delay: Math.round(Number(delay)) || 0,
      distance: milesBetween(airports, origin, destination),
      origin,
      destination,
    };
    if (await submit(() => client.append("departures", departure))) keep([departure, ...own]);
  };

  const takeBack = async (departure: Departure) => {
    const done = await submit(() => client.append("takebacks", { departure_id: departure.id }));
    if (done) keep(own.filter((other) => other.id !== departure.id));
  };

  return (
    <section className="own">
      <h3>Your own departure</h3>
      <p className="note">One append; every figure above follows in one frame.</p>
      <form onSubmit={depart}>
        <label>
          <span>From</span>
          <output>{origin}</output>
        </label>
        <AirportSelect label="To" value={destination} airports={airports} onChange={setDestination} />
        <label>
          <span>Minutes late</span>
          <input
            type="number"
            inputMode="numeric"
            min={-60}
            max={1440}
            step={1}
            required
            value={delay}
            onChange={(event) => setDelay(event.target.value)}
          />
        </label>
        <button type="submit" className="primary" disabled={busy || origin === destination}>
          Depart
        </button>
      </form>
      <Outcome error={error} receipt={receipt} />
      {own.length > 0 && (
        <ul className="list">
          {own.slice(0, 5).map((departure) => (
            <li key={departure.id}>
              <b>{departure.origin}</b> to <b>{departure.destination}</b>
              <span style={lateStyle(departure.delay)}>{delayText(departure.delay)}</span>
              <button type="button" className="quiet" disabled={busy} onClick={() => takeBack(departure)}>
                Take back
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** The great circle, as the airline counts it. */
function milesBetween(airports: readonly AirportTraffic[], from: string, to: string): number {
  const a = airports.find((airport) => airport.iata === from);
  const b = airports.find((airport) => airport.iata === to);
  if (a === undefined || b === undefined) return 0;
  return Math.round(geoDistance([a.longitude, a.latitude], [b.longitude, b.latitude]) * earthMiles);
}

/** Those of this browser that have not been taken back. */
function storedDepartures(): readonly Departure[] {
  try {
    return JSON.parse(localStorage.getItem(storageKey) ?? "[]") as Departure[];
  } catch {
    // Not ours any more: begin with none.
    return [];
  }
}
