/** The column's value is not null and lies within; an absent end is open. Numbers for what is no text, its UTF-8 for what is. */
export interface ColumnRange {
  readonly column: number;
  readonly min?: number | Uint8Array;
  readonly max?: number | Uint8Array;
}
