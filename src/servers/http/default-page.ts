/**
 * What stands at / when no page is served there: the topics and views, and where to go on.
 *
 * It asks every two seconds, where all else is told: what it shows is the catalog, with counts of all topics and views, and of that no stream tells. A subscription has the rows
 * of views that were named, and would send every row of every view to a page that counts them; topics that no view reads, and what is made or dropped, would still be missed.
 */
export const defaultPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evert</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 3rem auto; padding: 0 1rem; }
  h1 { margin: 0; font-size: 1.6rem; }
  h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  th, td { text-align: left; overflow-wrap: anywhere; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
  th { font-weight: 600; overflow-wrap: normal; }
  .number { overflow-wrap: normal; }
  .number, th:nth-child(4) { text-align: right; }
  .quiet { opacity: .65; }
  code { font-family: ui-monospace, monospace; }
</style>
<h1>Evert</h1>
<p class="quiet" id="position">…</p>
<h2>Topics</h2><table id="topics"></table>
<h2>Views</h2><table id="views"></table>
<p class="quiet">HTTP interface: <a href="/v1/openapi.json">/v1/openapi.json</a> · <a href="/metrics">/metrics</a> ·
<a href="/ready">/ready</a>. Shell: <code>evert query</code>.</p>
<script type="module">
  const number = new Intl.NumberFormat("en");
  function fill(id, heads, rows, none) {
    const table = document.getElementById(id);
    const line = (kind, cells) => {
      const tr = document.createElement("tr");
      for (const cell of cells) {
        const element = document.createElement(kind);
        element.textContent = typeof cell === "number" ? number.format(cell) : cell;
        if (typeof cell === "number") element.className = "number";
        tr.append(element);
      }
      return tr;
    };
    table.replaceChildren(...(rows.length ? [line("th", heads), ...rows.map((row) => line("td", row))] : [line("td", [none])]));
  }
  const get = async (path) => (await fetch(path)).json();
  async function refresh() {
    try {
      const [{ topics, position }, { views }] = await Promise.all([get("/v1/topics"), get("/v1/views")]);
      document.getElementById("position").textContent = "at position " + position;
      fill("topics", ["name", "kind", "columns", "rows"],
        topics.map((t) => [t.name, t.kind, t.columns.map((c) => c.name + " " + c.declaredType).join(", "), t.rows]),
        "None yet.");
      fill("views", ["name", "status", "columns", "rows"],
        views.map((v) => [v.name, v.status, v.columns.map((c) => c.name + " " + c.declaredType).join(", "), v.rows]),
        "None yet.");
    } catch {
      document.getElementById("position").textContent = "the server does not answer";
    }
    setTimeout(refresh, document.hidden ? 10000 : 2000);
  }
  refresh();
</script>
</html>
`;
