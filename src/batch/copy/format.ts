/** What COPY's options say of its text. */
export interface CopyFormat {
  readonly format: "text" | "csv";
  readonly delimiter: string;
  /** What stands for null. */
  readonly null: string;
  /** Whether the first line has the columns' names; `match`: and must have these. */
  readonly header: boolean | "match";
  readonly quote: string;
  readonly escape: string;
  /** Columns (by place) whose values are always quoted; null: all. */
  readonly forceQuote: readonly number[] | null;
  /** Columns in which a quoted null string is null too. */
  readonly forceNull: readonly number[];
  /** Columns in which an unquoted null string is itself. */
  readonly forceNotNull: readonly number[];
}

export const textFormat: CopyFormat = {
  format: "text",
  delimiter: "\t",
  null: "\\N",
  header: false,
  quote: '"',
  escape: '"',
  forceQuote: [],
  forceNull: [],
  forceNotNull: [],
};

export const csvFormat: CopyFormat = { ...textFormat, format: "csv", delimiter: ",", null: "" };
