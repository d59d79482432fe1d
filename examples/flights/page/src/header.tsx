/** What is going on: how much is in, how fast, since when; and the one control of the replay. */
import type { LiveStatus } from "evert/client";
import { useEvert, useView } from "evert/react";
import { memo } from "react";
import { clockText, count, decimal, fullDayText, percent, short } from "./format.ts";
import { ThemeSwitch } from "./theme.tsx";
import { useSubmit } from "./use-submit.ts";
import { ownIdMin, views } from "./views.ts";

const paces = [1, 10, 100, 1_000, 10_000];

export function Header() {
  const totals = useView(views.totals);
  const progress = useView(views.loadProgress);
  const now = progress.rows[0];
  const total = totals.rows[0];
  const share = now === undefined || now.total === 0 ? 0 : now.loaded / now.total;

  return (
    <header>
      <div
        className="progress"
        role="progressbar"
        aria-label="Departures in the log"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        data-finished={now?.finished}
      >
        <i style={{ transform: `scaleX(${share})` }} />
      </div>
      <div className="bar">
        <p className="brand">
          <svg viewBox="0 0 20 20" aria-hidden="true">
            <path d="M14.5 4.2A7 7 0 1 0 14.5 15.8" />
            <path d="M5 10h12M13 6l4 4-4 4" />
          </svg>
          <b>Evert</b> Departures
        </p>
        <Status status={progress.status} position={totals.position} />
        <ThemeSwitch />
      </div>
      <div className="hero">
        <div className="lead">
          <h1 data-testid="flights">{total === undefined ? "0" : count(total.flights)}</h1>
          <p>
            {now !== undefined && now.loaded < now.total && <>of {count(now.total)} </>}
            departures
            {now !== undefined && (now.finished ? <ReplayClock /> : ", loading history")}
          </p>
        </div>
        <dl className="figures">
          <Figure
            name="On time"
            value={total === undefined || total.flights === 0 ? "–" : percent(total.on_time / total.flights)}
          />
          <Figure
            name="Mean delay"
            value={total === undefined || total.flights === 0 ? "–" : decimal(total.mean_delay)}
            unit="min"
          />
          <Figure name="Events" value={now === undefined ? "–" : short(now.events_per_second)} unit="/s" />
          <Figure name="Live views" value={now === undefined ? "–" : count(now.views)} />
        </dl>
        <Pace finished={now?.finished ?? false} pace={now?.pace ?? 0} paused={now?.paused ?? true} />
      </div>
    </header>
  );
}

/** The time of the latest departure of all. */
function ReplayClock() {
  const { rows } = useView(views.latestDepartures);
  let latest = "";
  for (const row of rows) if (row.id < ownIdMin && row.departed_at > latest) latest = row.departed_at;
  if (latest === "") return null;
  return (
    <>
      , as of {fullDayText(latest)}, {clockText(latest)}
    </>
  );
}

function Figure({ name, value, unit }: { name: string; value: string; unit?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value}
        {unit !== undefined && <small>{unit}</small>}
      </dd>
    </div>
  );
}

const statusText: Record<LiveStatus, string> = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  stale: "Rebuilding",
  error: "Not available",
};

function Status({ status, position }: { status: LiveStatus; position: string | undefined }) {
  return (
    <p className="status" data-status={status} role="status">
      <i />
      {statusText[status]}
      {position !== undefined && (
        <span title="The position in the log that this page shows" aria-hidden="true">
          at {count(BigInt(position))}
        </span>
      )}
    </p>
  );
}

/** Sets a row of the table `replay`; what it shows comes back through a view, so all pages show the same. */
const Pace = memo(function Pace({
  finished,
  pace,
  paused,
}: {
  finished: boolean;
  pace: number;
  paused: boolean;
}) {
  const client = useEvert();
  const { submit, error } = useSubmit(views.loadProgress);
  const set = (next: { pace: number; paused: boolean }) =>
    submit(() => client.append("replay", { id: 1, ...next }));

  return (
    <fieldset className="pace" disabled={!finished}>
      <legend>{finished ? "Replay, flights a second" : "Replay starts when history is in"}</legend>
      <div>
        <button
          type="button"
          className="play"
          aria-label={paused ? "Go on" : "Pause"}
          aria-pressed={!paused}
          onClick={() => set({ pace: pace || 100, paused: !paused })}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d={paused ? "M4.5 2.5v11l9-5.5z" : "M4 3h3v10H4zM9 3h3v10H9z"} />
          </svg>
        </button>
        {paces.map((choice) => (
          <button
            key={choice}
            type="button"
            aria-pressed={!paused && pace === choice}
            onClick={() => set({ pace: choice, paused: false })}
          >
            {count(choice)}
          </button>
        ))}
      </div>
      {error !== undefined && <p className="error">{error.message}</p>}
    </fieldset>
  );
});
