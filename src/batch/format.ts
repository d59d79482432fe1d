/** PostgreSQL's text forms of every type, exact to the letter: one file per family behind this door. */
export * from "./format/float8.ts";
export * from "./format/integer.ts";
export * from "./format/numeric.ts";
export * from "./format/timestamptz.ts";
