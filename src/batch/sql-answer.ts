/** What SQL is answered with, in process, by the server and in the client: the forms of its values differ. */

export interface SqlColumn {
  readonly name: string;
  /** PostgreSQL's typname. */
  readonly type: string;
}

/** The answer to one statement. */
export interface SqlResult {
  /** PostgreSQL's command tag: "SELECT 3", "INSERT 0 1". */
  readonly command: string;
  readonly columns: readonly SqlColumn[];
  /** Of each row its values, in their TypeScript form. */
  readonly rows: readonly (readonly unknown[])[];
  readonly rowCount: number;
}

/** The answers to the statements of a request. */
export interface SqlResponse {
  readonly results: readonly SqlResult[];
  readonly position: string;
}
