/** A database beside which Evert is measured: the same tables, rows and queries. */
export interface SqlPeer {
  readonly name: string;
  /** Statements whose answers do not matter. */
  run(statements: string): Promise<void>;
  /** All rows of the answer, every value as its text. */
  rows(query: string): Promise<TextRow[]>;
  /** Adds rows: lines in COPY's text format, none of whose values needs escaping. */
  copy(table: string, lines: string): Promise<void>;
  close(): Promise<void>;
}

export type TextRow = readonly (string | null)[];
