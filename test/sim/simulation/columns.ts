/**
 * Columns that come and go. A column is told by its number, which its name begins with (`c7_2`: column 7, renamed twice) and which nobody else ever has; and its number says what its default is.
 * So it is known what each record is to be, in whichever schema it is read: of each column that is there, what was written, or else the default.
 */
/** `forever`: it is never dropped, and views read it. */
export const SHAPED = {
  wide: { keyed: false, forever: true },
  flat: { keyed: true, forever: true },
  brief: { keyed: false, forever: false },
  card: { keyed: true, forever: false },
} as const;
export type ShapedName = keyof typeof SHAPED;
export const SHAPED_TOPICS = Object.keys(SHAPED) as ShapedName[];

export function isShaped(topic: string): topic is ShapedName {
  return topic in SHAPED;
}

export const isKeyed = (topic: ShapedName): boolean => SHAPED[topic].keyed;

/** What each number is by default, also in rows from before the column was there. */
const defaultOf = (column: number): number | null => (column % 3 === 0 ? null : column);
export const mayBeNull = (column: number): boolean => column % 3 !== 2;

/** By number: columns that were written, or those that were read. */
export type Cells = Readonly<Record<string, unknown>>;

export const numberOf = (name: string): number => Number(/^c(\d+)_\d+$/.exec(name)?.[1] ?? Number.NaN);
/** What becomes of a column's name: what stays the same. */
export const columnOf = (name: string): string => name.replace(/_\d+$/, "");
/** Numbers as they are, whatever type they have by now. */
export const cellOf = (value: unknown): unknown => (value === null ? null : Number(value));

/** What a row has in the column. */
export function cell(row: object, column: string): unknown {
  const cells = row as Cells;
  if (column in cells) return cells[column];
  return /^c\d+$/.test(column) ? defaultOf(Number(column.slice(1))) : undefined;
}

export interface Col {
  readonly name: string;
  readonly type: string;
}
/** null: it is not there. */
export type Columns = readonly Col[] | null;

export function created(topic: ShapedName, column: number): { sql: string; columns: Columns } {
  const name = `c${column}_0`;
  const key = isKeyed(topic);
  const first = key ? "k int4 PRIMARY KEY" : "part int4 NOT NULL";
  return {
    sql: `CREATE TABLE ${topic} (${first}, op int4 NOT NULL, ${declared(column)}) ${key ? "" : "WITH (append_only)"};`,
    columns: [
      { name: key ? "k" : "part", type: "int4" },
      { name: "op", type: "int4" },
      { name, type: "int4" },
    ],
  };
}

export function declared(column: number): string {
  const value = defaultOf(column);
  return `c${column}_0 int4${mayBeNull(column) ? "" : " NOT NULL"}${value === null ? "" : ` DEFAULT ${value}`}`;
}

/** What a run with such topics begins with: those that stay, each with a column that views read. */
export const SHAPED_SQL: string = SHAPED_TOPICS.filter((topic) => SHAPED[topic].forever)
  .map((topic) => created(topic, 0).sql)
  .join("\n");
