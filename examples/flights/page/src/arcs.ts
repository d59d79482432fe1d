/**
 * An arc on the map for each departure that was not there a moment ago. A path lives for one animation (in the style sheet)
 * and then takes itself away. There are never more than `arcsMax`: at ten thousand flights a second a sample is drawn.
 */
import { lateColor } from "./format.ts";
import type { LatestDeparture } from "./views.ts";

type Place = readonly [number, number];

const arcsMax = 60;

export class Arcs {
  readonly #layer: SVGGElement;
  readonly #placeOf: (iata: string) => Place | null;
  #known: ReadonlySet<number> | undefined;

  constructor(layer: SVGGElement, placeOf: (iata: string) => Place | null) {
    this.#layer = layer;
    this.#placeOf = placeOf;
  }

  /** `draw` false: take the rows for known. So are those of the first call. */
  show(rows: readonly LatestDeparture[], draw: boolean): void {
    const before = this.#known;
    const known = new Set<number>();
    const fresh: LatestDeparture[] = [];
    for (const row of rows) {
      known.add(row.id);
      if (before !== undefined && !before.has(row.id)) fresh.push(row);
    }
    this.#known = rows.length === 0 ? undefined : known;
    if (!draw || document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const room = arcsMax - this.#layer.childElementCount;
    const step = Math.max(1, fresh.length / Math.max(1, room));
    for (let i = 0, drawn = 0; i < fresh.length && drawn < room; i += step, drawn++) {
      const row = fresh[Math.floor(i)]!;
      const from = this.#placeOf(row.origin);
      const to = this.#placeOf(row.destination);
      if (from && to) this.#draw(from, to, row.delay);
    }
  }

  #draw(from: Place, to: Place, delay: number): void {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const [x1, y1] = from;
    const [x2, y2] = to;
    const lift = 0.18 * Math.hypot(x2 - x1, y2 - y1);
    path.setAttribute("d", `M${x1} ${y1}Q${(x1 + x2) / 2} ${(y1 + y2) / 2 - lift} ${x2} ${y2}`);
    path.setAttribute("pathLength", "1");
    path.style.setProperty("--late", lateColor(delay));
    path.addEventListener("animationend", () => path.remove());
    this.#layer.append(path);
  }
}
