/**
 * Row types: how a declaration becomes the type of a row, and how a selector's property names a column.
 *
 * groupBy names its key column after the property its selector reads: `(s) => s.id` gives a column `id`. At run time the
 * function's text tells (read-function.ts); for the type checker every property of the row handed to that selector wears
 * an optional, never present tag with its own name and type. A tagged number is still a number to all code, and whatever
 * is computed from it has no tag. Tags are taken off again before a type becomes part of a result row.
 */
declare const columnTag: unique symbol;

type Tag<T, N> = T extends null | undefined ? T : T & { readonly [columnTag]?: readonly [N, T] };

/** The row as groupBy's selector sees it. */
export type Tagged<Row> = { readonly [N in keyof Row]: Tag<Row[N], N> };

type IsTagged<T> = typeof columnTag extends keyof T ? true : false;

type Untag<T> = T extends unknown
  ? IsTagged<T> extends true
    ? T extends { readonly [columnTag]?: infer B }
      ? NonNullable<B> extends readonly [unknown, infer V]
        ? V
        : never
      : never
    : T
  : never;

/** Names of the properties a value may have been read from; "" for a part of it that was computed. */
type TagNames<T> = T extends null | undefined
  ? never
  : IsTagged<T> extends true
    ? T extends { readonly [columnTag]?: infer B }
      ? NonNullable<B> extends readonly [infer N extends string, unknown]
        ? N
        : ""
      : ""
    : "";

/** The one property a value was read from; never when it was computed, or read from several. */
type TagName<T> = IsUnion<TagNames<T>> extends true ? never : Exclude<TagNames<T>, "">;

type IsUnion<T, All = T> = [T] extends [never]
  ? false
  : T extends unknown
    ? [All] extends [T]
      ? false
      : true
    : never;

export type Simplify<T> = { [K in keyof T]: T[K] } & {};

type Scalar = string | number | bigint | boolean | null | undefined;

type NotColumns = readonly unknown[] | Date | ((...args: never[]) => unknown);

/** What groupBy's selector returned, as key columns: one named after its property, those of an object literal, or `key`. */
export type KeyColumns<K> = [TagName<K>] extends [never]
  ? [K] extends [Scalar]
    ? { key: Cleaned<Untag<K>> }
    : [K] extends [NotColumns]
      ? { key: K }
      : { -readonly [P in keyof K]: Cleaned<Untag<K[P]>> }
  : { [P in TagName<K>]: Cleaned<Untag<K>> };

/** A missing property is stored as null and comes back as null. */
type Cleaned<V> = undefined extends V ? Exclude<V, undefined> | null : V;

/** An object a function or a schema gives, as the row it becomes. */
export type RowOf<T> = T extends unknown ? { -readonly [K in keyof T]-?: Cleaned<T[K]> } : never;

/** The row, or the side of a left join that found no match. */
export type Nullable<Row> = { [K in keyof Row]: Row[K] | null };

/** All columns of the left side, then those of the right whose names are not taken. */
export type Joined<L, R> = Simplify<L & Omit<R, keyof L>>;

export type ColumnName<Row> = keyof Row & string;
