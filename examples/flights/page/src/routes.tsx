import { useView } from "evert/react";
import { count, decimal, lateStyle } from "./format.ts";
import { views } from "./views.ts";

/** In the view's own order: the client keeps it. */
export function WorstRoutes() {
  const { rows, error } = useView(views.worstRoutes);
  const worst = Math.max(1, ...rows.map((row) => row.mean_delay));
  return (
    <section className="routes">
      <h3>Ten worst routes</h3>
      {error !== undefined && <p className="error">{error.message}</p>}
      <ol>
        {rows.map((row) => (
          <li key={`${row.origin}-${row.destination}`}>
            <span className="codes">
              <b>{row.origin}</b>
              <svg viewBox="0 0 16 8" aria-label="to">
                <path d="M0 4h14M11 1l3 3-3 3" />
              </svg>
              <b>{row.destination}</b>
            </span>
            <span className="names">
              {row.origin_name} to {row.destination_name}
            </span>
            <span className="track" aria-hidden="true">
              <i
                style={{
                  ...lateStyle(row.mean_delay),
                  width: `${((row.mean_delay / worst) * 100).toFixed(1)}%`,
                }}
              />
            </span>
            <span className="value">
              {decimal(row.mean_delay)} <small>min</small>
            </span>
            <span className="flights">{count(row.flights)} flights</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
