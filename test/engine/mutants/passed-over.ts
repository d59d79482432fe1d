/** Where Evert's answer may be another than PostgreSQL's, and the page that says so. Whatever is not in this list is a fault. */
import type { TextRow } from "../support/views.ts";

export interface PassedOver {
  readonly reason: string;
  readonly said: string;
  /** `ours` and `theirs` are the rows that only one of both has. */
  readonly holds: (query: string, ours: readonly TextRow[], theirs: readonly TextRow[]) => boolean;
}

export const passedOver: readonly PassedOver[] = [
  {
    reason: "asks for the time",
    said: "docs/SQL.md, Time",
    holds: (query) => asksForTheTime(query),
  },
  {
    reason: "equal values that print differently, one of which stands for all of them",
    said: "docs/TYPES.md",
    holds: (query, ours, theirs) =>
      /\b(?:distinct|union|intersect|except|group by|partition by|over|in|any|using|natural|greatest|least|max|min|mode|percentile_disc|nullif|case|join|order by)\b/i.test(
        query,
      ) && alike(ours, theirs, withoutScale),
  },
  {
    reason: "sums of floats, rounded once",
    said: "docs/SQL.md, Aggregates",
    holds: (query, ours, theirs) =>
      /\b(?:sum|avg|var\w*|stddev\w*|corr|covar\w*|regr\w*|percentile_cont)\b/i.test(query) &&
      alike(ours, theirs, roundly),
  },
  {
    reason: "lists that nothing orders are ordered by what they hold",
    said: "docs/SQL.md, Aggregates",
    holds: (query, ours, theirs) =>
      /_agg(?:_\w+)?\b|agg *\(|\bARRAY *\( *SELECT/i.test(query) &&
      alike(ours, theirs, (text) => [...text].sort().join("")),
  },
  {
    reason: "the first rows of an order that leaves some open, or of none",
    said: "docs/decisions/0006-ties.md",
    holds: leavesOrderOpen,
  },
];

/** PostgreSQL keeps the order in which a function gives rows, where it happens to. */
const givesRows =
  /\b(?:generate_\w+|unnest|\w+_to_table|regexp_matches|jsonb?_(?:each|array_elements|object_keys|path_query)\w*|json_table|rows\s+from)\b/i;

export function leavesOrderOpen(query: string): boolean {
  return (
    countOf(query, /\b(?:limit|offset|fetch)\b/gi) >
      countOf(query.replace(/\bover *\([^()]*\)/gi, ""), /\border\s+by\b/gi) ||
    (/\b(?:limit|offset|fetch|distinct\s+on|order\s+by)\b/i.test(query) && givesRows.test(query)) ||
    /\bdistinct\s+on\b.*\bgroup\s+by\b/is.test(query)
  );
}

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

export function asksForTheTime(query: string): boolean {
  return /\b(?:now|current_(?:date|time|timestamp)|localtime(?:stamp)?|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|age|today|tomorrow|yesterday|random\w*|gen_random_uuid|uuidv[47]|txid\w*|pg_\w+|version|current_\w+|session_user|inet\w*)\b/i.test(
    query,
  );
}

function alike(
  ours: readonly TextRow[],
  theirs: readonly TextRow[],
  form: (text: string) => string,
): boolean {
  const texts = (rows: readonly TextRow[]): string =>
    rows
      .map((row) => JSON.stringify(row.map((value) => (value === null ? null : form(value)))))
      .sort()
      .join("\n");
  return texts(ours) === texts(theirs);
}

/** Numbers without zeros at their end, intervals in hours, texts without blanks at their end, -0 as 0. */
function withoutScale(text: string): string {
  return text
    .replace(/-?\d+\.\d*?(?=0*(?!\d))0*/g, (number) => number.replace(/\.?0*$/, ""))
    .replace(/(?<![\d.])-0(?![\d.])/g, "0")
    .replace(/ +(?="|$|,|\})/g, "");
}

/** Numbers to nine digits. */
function roundly(text: string): string {
  return text.replace(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g, (number) =>
    Number(Number(number).toPrecision(9)).toString(),
  );
}

/** What Evert takes and PostgreSQL does not, and the page that says so. */
export const takenHere: readonly {
  readonly reason: string;
  readonly said: string;
  readonly holds: (query: string, refusal: string) => boolean;
}[] = [
  {
    reason: "a row is a value, and a view's column may hold it",
    said: "docs/SQL.md, Queries",
    holds: (_, refusal) =>
      /pseudo-type record|for type (?:record|unknown)$|record data type|record type has not been|types record and/.test(
        refusal,
      ),
  },
  {
    reason: "tables of the log itself",
    said: "docs/LOG.md",
    holds: (query) => /\bevert_\w+/i.test(query),
  },
  {
    reason: "a constant that fails fails the rows for which it is computed, and there are none",
    said: "docs/SQL.md, Functions and operators",
    holds: (_, refusal) =>
      /invalid Unicode escape|format|pattern|EEEE|decimal point|cannot use ".*" together|must be ahead of/.test(
        refusal,
      ),
  },
  {
    reason: "as-of joins",
    said: "docs/SQL.md, Queries",
    holds: (query) => /\bas_of\b/i.test(query),
  },
];

/** What PostgreSQL takes and Evert refuses otherwise than as not supported. */
export const refusedHere: readonly {
  readonly reason: string;
  readonly said: string;
  readonly holds: (query: string, refusal: string) => boolean;
}[] = [
  {
    reason: "rows of unlike fields are not compared, also where none come",
    said: "docs/SQL.md, Queries",
    holds: (_, refusal) =>
      /cannot compare (?:dissimilar column types|record types)|for type record$/.test(refusal),
  },
  {
    reason: "a stream's rows are neither changed nor taken away",
    said: "docs/SQL.md, Statements",
    holds: (query, _) =>
      /\b(?:update|delete|truncate|from|only)\s+(?:table\s+)?(?:only\s+)?s\b/i.test(query) &&
      !/^\s*select/i.test(query),
  },
];
