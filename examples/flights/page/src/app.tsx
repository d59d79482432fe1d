import { useView } from "evert/react";
import { useMemo, useState } from "react";
import { AirportPanel } from "./airport.tsx";
import { DelayHistogram, HourlyTraffic, OnTimeByDistance } from "./charts.tsx";
import { Header } from "./header.tsx";
import { AirportMap } from "./map.tsx";
import { OwnDepartures } from "./own.tsx";
import { WorstRoutes } from "./routes.tsx";
import { views } from "./views.ts";

export function App() {
  const airports = useView(views.airportTraffic);
  const [selected, setSelected] = useState("ORD");
  // The busiest first: it is drawn first, so that small airports stay on top of it.
  const busiest = useMemo(() => [...airports.rows].sort((a, b) => b.flights - a.flights), [airports.rows]);
  const airport = busiest.find((row) => row.iata === selected);

  return (
    <>
      <Header />
      <main>
        <AirportMap airports={busiest} error={airports.error} selected={selected} onSelect={setSelected} />
        <AirportPanel iata={selected} airport={airport} airports={busiest} onSelect={setSelected} />
        <div className="charts">
          <HourlyTraffic />
          <DelayHistogram />
          <OnTimeByDistance />
        </div>
        <WorstRoutes />
        <OwnDepartures origin={selected} airports={busiest} />
      </main>
      <footer>
        <p>
          Departures of US airports, January to June 2001. Every figure is a view over the same log, pushed as
          it changes; nothing here is polled, cached or recomputed.
        </p>
        <p>
          <a href="/v1/openapi.json">HTTP interface</a>
          <a href="/v1/views">Views</a>
          <a href="/metrics">Metrics</a>
        </p>
      </footer>
    </>
  );
}
