/** The ordinary page: a view, rendered. `measureLatency` is called by the bench: from fetch() to the text in the document, by one clock. */
import { EvertProvider, useView } from "evert/react";
import { createRoot } from "react-dom/client";
import type { latest } from "../app.ts";

function Readings() {
  const { rows } = useView<typeof latest>("latest");
  return (
    <ul>
      {rows.map((row) => (
        <li key={row.sensor} id={`sensor-${row.sensor}`}>
          {row.latest}
        </li>
      ))}
    </ul>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(
  <EvertProvider url="">
    <Readings />
  </EvertProvider>,
);

declare global {
  interface Window {
    measureLatency(sensor: number, number: number): Promise<number>;
  }
}

/** Appends a reading; resolves with the milliseconds until the page shows it. */
window.measureLatency = (sensor, number) =>
  new Promise((resolve, reject) => {
    const wanted = String(number);
    const started = performance.now();
    const observer = new MutationObserver(() => {
      if (document.getElementById(`sensor-${sensor}`)?.textContent !== wanted) return;
      observer.disconnect();
      resolve(performance.now() - started);
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
    fetch("/v1/topics/readings/records", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sensor, number }),
    }).catch(reject);
  });
