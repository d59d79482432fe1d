/**
 * A jsonpath as a tree: what it begins with, and the steps that follow.
 *
 *   path      = ("strict" | "lax")? expression
 *   expression = head step*                         head: $ @ last, a literal, a variable, an operation, a predicate
 *   step      = .key  .*  .**{n to m}  [*]  [index, n to m]  ?(predicate)  .method()
 */

export type BinaryOperator = "+" | "-" | "*" | "/" | "%";
export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=";

export type Predicate =
  | { readonly kind: "and" | "or"; readonly left: Predicate; readonly right: Predicate }
  | { readonly kind: "not" | "unknown"; readonly arg: Predicate }
  | { readonly kind: "compare"; readonly op: Comparison; readonly left: Path; readonly right: Path }
  | { readonly kind: "exists"; readonly arg: Path }
  | { readonly kind: "starts"; readonly left: Path; readonly right: Path }
  | { readonly kind: "like"; readonly left: Path; readonly pattern: string; readonly flags: string };

export type Head =
  | { readonly kind: "root" | "current" | "last" }
  /** A scalar's canonical JSON. */
  | { readonly kind: "scalar"; readonly json: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "binary"; readonly op: BinaryOperator; readonly left: Path; readonly right: Path }
  | { readonly kind: "unary"; readonly op: "+" | "-"; readonly arg: Path }
  | { readonly kind: "predicate"; readonly predicate: Predicate };

export const methods = [
  "abs",
  "size",
  "type",
  "floor",
  "double",
  "ceiling",
  "keyvalue",
  "bigint",
  "boolean",
  "integer",
  "number",
  "string",
] as const;

export type Method = (typeof methods)[number];

/** No end: `last`. */
export const LAST = 2 ** 32 - 1;

export type Step =
  | { readonly kind: "key"; readonly name: string }
  | { readonly kind: "anyKey" | "anyElement" }
  | { readonly kind: "anyDepth"; readonly first: number; readonly last: number }
  | { readonly kind: "index"; readonly ranges: readonly { readonly from: Path; readonly to: Path | null }[] }
  | { readonly kind: "filter"; readonly predicate: Predicate }
  | { readonly kind: "method"; readonly method: Method }
  | { readonly kind: "decimal"; readonly precision: number | null; readonly scale: number | null };

export interface Path {
  readonly head: Head;
  readonly steps: readonly Step[];
}

export interface JsonPath {
  readonly strict: boolean;
  readonly path: Path;
}
