/** What a checkpoint says of files of cold rows. */
import type { ExtentPlace } from "./extent.ts";

/** What a checkpoint says of a run. */
export interface KeptRun {
  readonly file: string;
  readonly extents: readonly (ExtentPlace & { readonly id: number })[];
}

/** Runs of links by these columns. */
export interface KeptLinks {
  readonly columns: readonly number[];
  readonly runs: readonly KeptRun[];
}
