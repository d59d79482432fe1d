/** PostgreSQL's text forms of every type, exact to the letter: one file per family behind this door. */
export * from "./format/array.ts";
export * from "./format/bytes.ts";
export * from "./format/characters.ts";
export * from "./format/datetime.ts";
export * from "./format/float4.ts";
export * from "./format/float8.ts";
export * from "./format/integer.ts";
export * from "./format/interval.ts";
export * from "./format/numeric.ts";
export * from "./format/timestamptz.ts";
