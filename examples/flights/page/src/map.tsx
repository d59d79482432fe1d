/** The map: a circle for each airport, as large as its traffic, as warm as its delays; and an arc for each departure. */

import { geoAlbersUsa, geoPath } from "d3-geo";
import type { EvertError } from "evert/client";
import { useView } from "evert/react";
import { memo, type PointerEvent, useEffect, useRef, useState } from "react";
import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
// States, already in the projection below: nothing has to be computed but the place of the airports.
import atlasJson from "us-atlas/states-albers-10m.json" with { type: "json" };
import { Arcs } from "./arcs.ts";
import { count, decimal, lateMinutes, lateStyle } from "./format.ts";
import { type AirportTraffic, views } from "./views.ts";

const width = 975;
const height = 610;
const radiusMax = 26;
/** A pointer this near an airport means it. */
const reach = 14;

const atlas = atlasJson as unknown as Topology<{ states: GeometryCollection; nation: GeometryCollection }>;
const path = geoPath().digits(1);
const nationPath = path(feature(atlas, atlas.objects.nation)) ?? "";
const borderPath = path(mesh(atlas, atlas.objects.states, (a, b) => a !== b)) ?? "";
const projection = geoAlbersUsa()
  .scale(1300)
  .translate([width / 2, height / 2]);

type Place = readonly [number, number] | null;
const places = new Map<
  string,
  { readonly latitude: number; readonly longitude: number; readonly place: Place }
>();

/** Where an airport lies on the map; null outside of the fifty states. Computed once: rows change all the time, places do not. */
function placeOf({ iata, latitude, longitude }: AirportTraffic): Place {
  const known = places.get(iata);
  if (known?.latitude === latitude && known.longitude === longitude) return known.place;
  const place = projection([longitude, latitude]);
  places.set(iata, { latitude, longitude, place });
  return place;
}

/** The next of 1, 2, 5, 10, 20, ...: the scale stands still while the busiest airport grows. */
function roundUp(n: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, n)));
  return power * (n <= power ? 1 : n <= 2 * power ? 2 : n <= 5 * power ? 5 : 10);
}

interface MapProps {
  readonly airports: readonly AirportTraffic[];
  readonly error: EvertError | undefined;
  readonly selected: string;
  readonly onSelect: (iata: string) => void;
}

export function AirportMap({ airports, error, selected, onSelect }: MapProps) {
  const [hovered, setHovered] = useState<string>();
  const full = roundUp(airports[0]?.flights ?? 1);

  const nearest = (event: PointerEvent<SVGSVGElement>): string | undefined => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    const y = ((event.clientY - box.top) / box.height) * height;
    let best: string | undefined;
    let bestDistance = reach;
    for (const airport of airports) {
      const place = placeOf(airport);
      if (place === null) continue;
      // The distance to the circle's middle, made shorter by its size: a small airport inside a large circle can be hit.
      const distance = Math.hypot(place[0] - x, place[1] - y) - radiusOf(airport.flights, full) / 2;
      if (distance < bestDistance) {
        best = airport.iata;
        bestDistance = distance;
      }
    }
    return best;
  };

  const shown = airports.find((airport) => airport.iata === hovered);
  const chosen = airports.find((airport) => airport.iata === selected);
  return (
    <section className="map" aria-label="Map of airports">
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: from the keyboard, an airport is chosen in the list beside the map. */}
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label="Airports of the United States, sized by departures and colored by mean delay"
        data-pointing={hovered !== undefined}
        onPointerMove={(event) => setHovered(nearest(event))}
        onPointerLeave={() => setHovered(undefined)}
        onClick={(event) => {
          const iata = nearest(event as unknown as PointerEvent<SVGSVGElement>);
          if (iata !== undefined) onSelect(iata);
        }}
      >
        {/* The sea, so that a pointer off the coast is over the map as well. */}
        <rect className="hit" width={width} height={height} />
        <path className="land" d={nationPath} />
        <path className="borders" d={borderPath} />
        <DepartureArcs />
        <g className="airports">
          {airports.map((airport) => (
            <Circle key={airport.iata} airport={airport} full={full} />
          ))}
        </g>
        {shown !== undefined && <Marker airport={shown} full={full} named={false} />}
        {chosen !== undefined && <Marker airport={chosen} full={full} named={true} />}
      </svg>
      {shown !== undefined && <Tooltip airport={shown} />}
      <Legend full={full} />
      {error !== undefined && <p className="error">{error.message}</p>}
    </section>
  );
}

function radiusOf(flights: number, full: number): number {
  return 1.6 + radiusMax * Math.sqrt(flights / full);
}

interface CircleProps {
  readonly airport: AirportTraffic;
  readonly full: number;
}

/** Rendered again only when its own row changes: rows that did not change are the same objects. */
const Circle = memo(function Circle({ airport, full }: CircleProps) {
  const place = placeOf(airport);
  if (place === null) return null;
  const r = radiusOf(airport.flights, full);
  return (
    <circle
      cx={place[0].toFixed(1)}
      cy={place[1].toFixed(1)}
      r={r.toFixed(2)}
      style={lateStyle(airport.mean_delay)}
    />
  );
});

/** Around an airport, above all circles; with its code where it is the chosen one. */
function Marker({ airport, full, named }: CircleProps & { readonly named: boolean }) {
  const place = placeOf(airport);
  if (place === null) return null;
  const r = radiusOf(airport.flights, full) + 3;
  return (
    <g
      className="marker"
      transform={`translate(${place[0].toFixed(1)},${place[1].toFixed(1)})`}
      data-named={named}
    >
      <circle r={r.toFixed(2)} />
      {named && (
        <text y={(-r - 5).toFixed(1)} textAnchor="middle">
          {airport.iata}
        </text>
      )}
    </g>
  );
}

function Tooltip({ airport }: { airport: AirportTraffic }) {
  const place = placeOf(airport);
  if (place === null) return null;
  const [x, y] = place;
  return (
    <div
      className="tooltip"
      data-below={y < height * 0.22}
      style={{
        left: `${(Math.min(0.86, Math.max(0.14, x / width)) * 100).toFixed(2)}%`,
        top: `${((y / height) * 100).toFixed(2)}%`,
      }}
    >
      <b>{airport.iata}</b> {airport.name}
      <span>
        {airport.city}, {airport.state}
      </span>
      <dl>
        <dt>Departures</dt>
        <dd>{count(airport.flights)}</dd>
        <dt>Mean delay</dt>
        <dd>{decimal(airport.mean_delay)} min</dd>
      </dl>
    </div>
  );
}

function Legend({ full }: { full: number }) {
  const sizes = [full / 10, full / 2];
  return (
    <div className="legend" aria-hidden="true">
      <span>
        on time <i className="scale" /> {lateMinutes} min late
      </span>
      <span>
        {sizes.map((size) => (
          <span key={size}>
            <SizeKey radius={radiusOf(size, full)} />
            {count(size)}
          </span>
        ))}
        departures
      </span>
    </div>
  );
}

/** A circle as large as those of the map, however wide that is. */
function SizeKey({ radius }: { radius: number }) {
  return (
    <svg
      viewBox={`${-radius} ${-radius} ${2 * radius} ${2 * radius}`}
      style={{ width: `${((200 * radius) / width).toFixed(2)}cqw` }}
      aria-hidden="true"
    >
      <circle r={radius} />
    </svg>
  );
}

/** Arcs are drawn beside React: they come and go by themselves, and nothing else depends on them. */
function DepartureArcs() {
  const layer = useRef<SVGGElement>(null);
  const arcs = useRef<Arcs>(undefined);
  const { rows } = useView(views.latestDepartures);
  const finished = useView(views.loadProgress).rows[0]?.finished ?? false;

  useEffect(() => {
    arcs.current ??= new Arcs(layer.current!, (iata) => places.get(iata)?.place ?? null);
    arcs.current.show(rows, finished);
  }, [rows, finished]);
  return <g ref={layer} className="arcs" />;
}
