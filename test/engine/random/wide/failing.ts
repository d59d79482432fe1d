/**
 * Queries that fail for some values: the view has PostgreSQL's SQLSTATE for as long as such a row is there, wherever in the query the
 * value stands, and rows again when it has gone.
 */
import { fragment } from "../fragment.ts";
import { pick } from "../kinds.ts";
import type { WideKind } from "./kinds.ts";
import type { WideQuery } from "./queries.ts";
import { newAlias, type Scene } from "./terms.ts";

/** `@` stands for the column. A numeric of 18 digits or fewer holds no NaN here (0A000), so none is made one. */
const values: { readonly [K in WideKind]?: readonly string[] } = {
  int2: ["@ * @", "- @"],
  int4: [
    "10 / @",
    "@ * 2147483647",
    "(-2147483648) - @",
    "abs(@)",
    "(@)::int2",
    "- (@)",
    "make_date(2024, @, 1)",
    "factorial(@ % 20)",
    "repeat('a', @ % 10)::char(1)",
  ],
  int8: ["@ + 1", "(@)::int4", "@ * 3", "@ % (@ - 1)"],
  text: [
    "(@)::int4",
    "(@)::numeric",
    "(@)::date",
    "(@)::bool",
    "(@)::jsonb",
    "(@)::mood",
    "(@)::interval",
    "(@)::varchar(1)::float8",
    "'b' ~ ('(' || @)",
    "'b' like (@ || '\\')",
  ],
  varchar: ["(@)::int4"],
  bpchar: ["(@)::int4"],
  float4: ["@ * @", "(@)::int8"],
  float8: [
    "(@)::int4",
    "@ * 1e10",
    "1 / @",
    "nullif(@, 'NaN')::numeric(5,2)",
    "sqrt(@)",
    "exp(@)",
    "(@)::float4",
    "ln(@)",
    "power(@, 0.5)",
    "to_timestamp(@)",
    "interval '1 day' * @",
  ],
  numeric: [
    "(@)::int8",
    "nullif(@, 'NaN')::numeric(4,1)",
    "1 / @",
    "sqrt(@)",
    "ln(@)",
    "@ ^ 0.5",
    "round(@, 1)",
    "@ % 2",
    "div(@, 2)",
  ],
  date: ["@ + 2147483647", "@ - date '2024-01-01'", "extract(year from @)"],
  time: ["(@ + interval '1 hour')"],
  timestamp: ["@ - timestamp 'infinity'", "(@)::time", "@ + interval '200000 years'"],
  timestamptz: ["(@)::date - 5", "to_char(@, 'Day')", "date_bin('15 minutes', @, '2024-01-01')"],
  interval: [
    "@ - interval 'infinity'",
    "@ * 1e9",
    "(@)::time",
    "@ / 0",
    "extract(day from @)",
    "justify_interval(@)",
    "timestamp '2024-01-31' + @",
  ],
  jsonb: [
    "(@)::int4",
    "(@)::bool",
    "jsonb_array_length(@)",
    "@ - 0",
    "@ - 'a'",
    "@ #- '{a}'",
    "jsonb_set(@, '{0}', '1')",
    "jsonb_path_query_array(@, 'strict $.a')",
  ],
  ints: [
    "@ || ARRAY[[1,2]]",
    "array_position(@, 1)",
    "array_remove(@, 1)",
    "trim_array(@, 1)",
    "array_append(@, 1)",
  ],
  texts: ["(@)::int4[]"],
  bytea: ["get_byte(@, 0)", "convert_from(@, 'UTF8')"],
  pos: ["(@ - 1)::pos", "@ + 1"],
  mood: ["(@::text || 'x')::mood"],
};

export function failing(scene: Scene): WideQuery {
  const { random } = scene;
  const table = pick(random, scene.tables);
  const a = newAlias(scene);
  const options = table.columns.flatMap((c) =>
    (values[c.kind] ?? []).map((value) => value.replaceAll("@", `${a}.${c.name}`)),
  );
  const v = pick(random, options);
  const from = `FROM ${table.name} ${a}`;
  return fallible(
    pick(random, [
      `SELECT ${a}.k AS c0, (${v})::text AS c1 ${from}`,
      `SELECT count(${v}) AS c0, 1 AS c1 ${from}`,
      `SELECT ${a}.g AS c0, max((${v})::text) AS c1 ${from} GROUP BY ${a}.g`,
      `SELECT (${v})::text AS c0, count(*) AS c1 ${from} GROUP BY 1`,
      `SELECT ${a}.k AS c0, 1 AS c1 ${from} WHERE (${v}) IS NOT NULL`,
      `SELECT DISTINCT (${v})::text AS c0, 1 AS c1 ${from}`,
      `SELECT ${a}.k AS c0, max((${v})::text) OVER (PARTITION BY ${a}.g) AS c1 ${from}`,
      `SELECT ${a}.k AS c0, coalesce(${a}.g::text, (${v})::text) AS c1 ${from}`,
      `SELECT ${a}.k AS c0, CASE WHEN ${a}.g > 1 THEN (${v})::text END AS c1 ${from}`,
      `SELECT sum(${a}.k) AS c0, 1 AS c1 ${from} GROUP BY ${a}.g HAVING max((${v})::text) IS NOT NULL`,
      `SELECT sum(1) FILTER (WHERE (${v}) IS NOT NULL) AS c0, 1 AS c1 ${from}`,
      `SELECT ${a}.k AS c0, (${v})::text AS c1 ${from} WHERE ${a}.g = 1`,
    ]),
  );
}

/** A subquery for one value that finds several rows. */
export function manyRowsInOne(scene: Scene): WideQuery {
  const { random } = scene;
  const [t, u] = [pick(random, scene.tables).name, pick(random, scene.tables).name];
  const a = newAlias(scene);
  const found = `SELECT z.k FROM ${u} z WHERE z.g = ${a}.${pick(random, ["g", "k"])}`;
  return fallible(`SELECT ${a}.k AS c0, (${found}) AS c1 FROM ${t} ${a}`);
}

function fallible(text: string): WideQuery {
  return { body: fragment("query", [text]), kinds: ["shown", "shown"], factors: 1, fallible: true };
}
