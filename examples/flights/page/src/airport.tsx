/** The chosen airport: its numbers, its name (which can be changed, everywhere at once), its latest departures. */
import { useEvert, useView } from "evert/react";
import { type FormEvent, memo, useState } from "react";
import { clockText, count, dayText, decimal, delayText, lateStyle } from "./format.ts";
import { Outcome } from "./outcome.tsx";
import { useSubmit } from "./use-submit.ts";
import { type AirportTraffic, views } from "./views.ts";

const shownMax = 8;

interface PanelProps {
  readonly iata: string;
  readonly airport: AirportTraffic | undefined;
  readonly airports: readonly AirportTraffic[];
  readonly onSelect: (iata: string) => void;
}

export function AirportPanel({ iata, airport, airports, onSelect }: PanelProps) {
  return (
    <section className="airport" aria-label={`Airport ${iata}`}>
      <div className="pick">
        <AirportSelect label="Airport" value={iata} airports={airports} onChange={onSelect} />
      </div>
      <p className="code">{iata}</p>
      <Name key={iata} iata={iata} name={airport?.name ?? ""} />
      <p className="place">{airport === undefined ? "\u00a0" : `${airport.city}, ${airport.state}`}</p>
      <dl className="figures small">
        <div>
          <dt>Departures</dt>
          <dd data-testid="airport-flights">{airport === undefined ? "–" : count(airport.flights)}</dd>
        </div>
        <div>
          <dt>Mean delay</dt>
          <dd>
            {airport === undefined ? "–" : decimal(airport.mean_delay)}
            <small>min</small>
          </dd>
        </div>
      </dl>
      <LatestDepartures iata={iata} />
    </section>
  );
}

/** Opens as a form; saving is one UPDATE of the table `airports`. */
function Name({ iata, name }: { iata: string; name: string }) {
  const client = useEvert();
  const { submit, busy, error, receipt } = useSubmit(views.airportTraffic);
  const [draft, setDraft] = useState<string>();

  const save = async (event: FormEvent) => {
    event.preventDefault();
    const next = (draft ?? "").trim();
    if (next === "" || next === name) return setDraft(undefined);
    const done = await submit(() =>
      client.sql("UPDATE airports SET name = $1 WHERE iata = $2", [next, iata]),
    );
    if (done) setDraft(undefined);
  };

  if (draft === undefined) {
    return (
      <div className="name">
        <h2 data-testid="airport-name">{name || "\u00a0"}</h2>
        <button type="button" className="quiet" disabled={name === ""} onClick={() => setDraft(name)}>
          Rename
        </button>
        <Outcome error={error} receipt={receipt} />
      </div>
    );
  }
  return (
    <form className="name" onSubmit={save}>
      <input
        aria-label="New name"
        // biome-ignore lint/a11y/noAutofocus: the field has just been asked for by a click.
        autoFocus
        maxLength={80}
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        onFocus={(event) => event.target.select()}
        onKeyDown={(event) => event.key === "Escape" && setDraft(undefined)}
      />
      <button type="submit" disabled={busy}>
        Save
      </button>
      <Outcome error={error} receipt={receipt} />
    </form>
  );
}

function LatestDepartures({ iata }: { iata: string }) {
  const { rows, error } = useView(views.latestDepartures);
  // The latest of each airport come first: the client keeps the view's order.
  const latest = rows.filter((row) => row.origin === iata).slice(0, shownMax);
  return (
    <>
      <h3>Latest departures</h3>
      {error !== undefined && <p className="error">{error.message}</p>}
      <table className="latest">
        <tbody>
          {latest.map((row) => (
            <tr key={row.id}>
              <td className="when">
                {clockText(row.departed_at)} <span>{dayText(row.departed_at)}</span>
              </td>
              <td className="to">
                <b>{row.destination}</b> <span>{row.destination_name}</span>
              </td>
              <td className="delay" style={lateStyle(row.delay)}>
                {delayText(row.delay)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly airports: readonly AirportTraffic[];
  readonly onChange: (iata: string) => void;
}

/** All airports by code. The list is rebuilt only when one comes or is renamed, not with every departure. */
export function AirportSelect({ label, value, airports, onChange }: SelectProps) {
  const names = airports
    .map((airport) => `${airport.iata}\t${airport.name}`)
    .sort()
    .join("\n");
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        <Options names={names === "" ? value : names} />
      </select>
    </label>
  );
}

const Options = memo(function Options({ names }: { names: string }) {
  return names.split("\n").map((line) => {
    const [iata = "", name = ""] = line.split("\t");
    return (
      <option key={iata} value={iata}>
        {iata} {name !== "" && `· ${name}`}
      </option>
    );
  });
});
