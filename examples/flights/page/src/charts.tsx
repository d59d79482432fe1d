/** Three small charts. In all of them length says how many, and color how late. */
import type { EvertError } from "evert/client";
import { useView } from "evert/react";
import type { ReactNode } from "react";
import { count, decimal, hourText, lateStyle, percent, short } from "./format.ts";
import { type DistanceBand, views } from "./views.ts";

interface Bar {
  readonly key: number;
  readonly value: number;
  /** Minutes, for the color. */
  readonly late: number;
  /** Below the bar; empty for most. */
  readonly tick: string;
  readonly title: string;
}

interface ChartProps {
  readonly title: string;
  readonly note: string;
  readonly error: EvertError | undefined;
  readonly children: ReactNode;
}

function Chart({ title, note, error, children }: ChartProps) {
  return (
    <section className="chart">
      <h3>{title}</h3>
      <p className="note">{error?.message ?? note}</p>
      {children}
    </section>
  );
}

const width = 360;
const height = 150;
const baseline = height - 20;
const headroom = 14;

/** Columns on one line, the highest labelled: no axis is needed to read them. */
function Columns({
  bars,
  label,
  text,
}: {
  bars: readonly Bar[];
  label: string;
  text: (value: number) => string;
}) {
  const highest = bars.reduce((max, bar) => Math.max(max, bar.value), 0);
  const step = width / Math.max(1, bars.length);
  const thickness = Math.max(1, step - Math.min(4, step * 0.22));
  const top = bars.find((bar) => bar.value === highest);
  return (
    <svg className="columns" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <line className="base" x1="0" x2={width} y1={baseline + 0.5} y2={baseline + 0.5} />
      {bars.map((bar, i) => {
        const barHeight = highest === 0 ? 0 : Math.max(0, (bar.value / highest) * (baseline - headroom));
        const x = i * step + (step - thickness) / 2;
        return (
          <g key={bar.key}>
            <rect
              className="column"
              x={x.toFixed(2)}
              y={(baseline - barHeight).toFixed(2)}
              width={thickness.toFixed(2)}
              height={barHeight.toFixed(2)}
              style={lateStyle(bar.late)}
            />
            {bar === top && highest > 0 && (
              <text
                className="peak"
                x={(x + thickness / 2).toFixed(2)}
                y={(baseline - barHeight - 5).toFixed(2)}
              >
                {text(bar.value)}
              </text>
            )}
            {bar.tick !== "" && (
              <text className="tick" x={(x + thickness / 2).toFixed(2)} y={height - 5}>
                {bar.tick}
              </text>
            )}
            <rect className="hit" x={(i * step).toFixed(2)} y="0" width={step.toFixed(2)} height={height}>
              <title>{bar.title}</title>
            </rect>
          </g>
        );
      })}
    </svg>
  );
}

export function HourlyTraffic() {
  const { rows, error } = useView(views.hourlyTraffic);
  const byHour = new Map(rows.map((row) => [row.hour, row]));
  const bars = Array.from({ length: 24 }, (_, hour): Bar => {
    const row = byHour.get(hour);
    return {
      key: hour,
      value: row?.flights ?? 0,
      late: row?.mean_delay ?? 0,
      tick: hour % 6 === 0 ? hourText(hour) : "",
      title: `${hourText(hour)}:00 to ${hourText(hour)}:59 · ${count(row?.flights ?? 0)} departures, ${decimal(row?.mean_delay ?? 0)} min late`,
    };
  });
  return (
    <Chart title="Departures by hour" note="Delays pile up through the day." error={error}>
      <Columns bars={bars} label="Departures by hour of the day" text={short} />
    </Chart>
  );
}

/** Beyond these, minutes are counted together. */
const minutesMin = -45;
const minutesMax = 120;

export function DelayHistogram() {
  const { rows, error } = useView(views.delayHistogram);
  const bucketWidth = widthOf(rows.map((row) => row.bucket));
  const earliest = Math.floor(minutesMin / bucketWidth) * bucketWidth;
  const latest = Math.floor(minutesMax / bucketWidth) * bucketWidth;
  const sums = new Map<number, number>();
  for (let bucket = earliest; bucket <= latest; bucket += bucketWidth) sums.set(bucket, 0);
  for (const row of rows) {
    const bucket = Math.min(latest, Math.max(earliest, row.bucket));
    sums.set(bucket, (sums.get(bucket) ?? 0) + row.flights);
  }
  const bars = [...sums]
    .sort(([a], [b]) => a - b)
    .map(([bucket, flights]): Bar => {
      const range =
        bucket === earliest
          ? `${-earliest - bucketWidth} min early or more`
          : bucket === latest
            ? `${latest} min late or more`
            : `${bucket} to ${bucket + bucketWidth - 1} min`;
      return {
        key: bucket,
        value: flights,
        late: bucket,
        tick: bucket % 30 === 0 ? `${bucket}`.replace("-", "\u2212") + (bucket === latest ? "+" : "") : "",
        title: `${range.replace("-", "\u2212")} · ${count(flights)} departures`,
      };
    });
  return (
    <Chart title="Delays" note="Minutes against the schedule." error={error}>
      <Columns bars={bars} label="Departures by delay in minutes" text={short} />
    </Chart>
  );
}

/** The smallest distance between two lower edges. */
function widthOf(edges: readonly number[]): number {
  const sorted = [...edges].sort((a, b) => a - b);
  let least = Number.POSITIVE_INFINITY;
  for (let i = 1; i < sorted.length; i++) least = Math.min(least, sorted[i]! - sorted[i - 1]!);
  return Number.isFinite(least) && least > 0 ? least : 10;
}

const bandsMax = 8;

/** The long flights are few: what does not fit is counted with the last band. */
function mergeLast(bands: readonly DistanceBand[]): readonly DistanceBand[] {
  if (bands.length <= bandsMax) return bands;
  const rest = bands.slice(bandsMax - 1);
  const flights = rest.reduce((sum, row) => sum + row.flights, 0);
  const onTime = rest.reduce((sum, row) => sum + row.on_time, 0);
  const merged = {
    band: rest[0]!.band,
    flights,
    on_time: onTime,
    share: flights === 0 ? 0 : onTime / flights,
  };
  return [...bands.slice(0, bandsMax - 1), merged];
}

export function OnTimeByDistance() {
  const { rows, error } = useView(views.onTimeByDistance);
  const bands = [...rows].sort((a, b) => a.band - b.band);
  const shown = mergeLast(bands);
  return (
    <Chart title="On time by distance" note="Share of departures less than 15 minutes late." error={error}>
      <ul className="bands">
        {shown.map((row, i) => (
          <li key={row.band} title={`${count(row.on_time)} of ${count(row.flights)} departures`}>
            <span className="band">
              {count(row.band)}
              {i + 1 < shown.length ? `\u2013${count(shown[i + 1]!.band)}` : "+"} <small>mi</small>
            </span>
            <span className="track split" aria-hidden="true">
              <i style={{ width: `${(row.share * 100).toFixed(1)}%` }} />
            </span>
            <span className="value">{percent(row.share)}</span>
          </li>
        ))}
      </ul>
    </Chart>
  );
}
