/** Type names in SQL: which of ours they mean, and which of PostgreSQL's we do not have yet. */
import type { TypeName as TypeNameNode } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import type { IntervalField, IntervalRange } from "../batch/format.ts";
import { arrayOf, baseTypes, interval, type SqlType, text } from "../batch/types.ts";
import type { BindContext } from "./context.ts";
import { as, stringOf } from "./tree.ts";

const types: ReadonlyMap<string, SqlType> = new Map([
  ...baseTypes.map((type) => [type.name, type] as const),
  // A name of PostgreSQL's catalogs: text of at most 63 bytes there, text here.
  ["name", text] as const,
]);

/** Types PostgreSQL has and we do not yet; by typname, with the name its messages use where that differs. */
const absent: ReadonlyMap<string, string> = new Map(
  (
    "char int2vector oidvector timetz=time_with_time_zone xml bit varbit=bit_varying money inet cidr macaddr macaddr8 point line lseg box path polygon " +
    "circle tsvector tsquery oid regclass regtype regproc int4range int8range numrange tsrange tstzrange daterange int4multirange " +
    "int8multirange nummultirange tsmultirange tstzmultirange datemultirange pg_lsn xid cid tid refcursor record serial bigserial " +
    "smallserial serial2 serial4 serial8 aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange " +
    "anycompatiblenonarray anycompatiblerange anyelement anyenum anymultirange anynonarray anyrange cstring event_trigger fdw_handler " +
    "gtsvector index_am_handler internal language_handler pg_brin_bloom_summary pg_brin_minmax_multi_summary pg_ddl_command " +
    "pg_dependencies pg_mcv_list pg_ndistinct pg_node_tree pg_snapshot regcollation regconfig regdictionary regnamespace regoper " +
    "regoperator regprocedure regrole table_am_handler trigger tsm_handler txid_snapshot void xid8"
  )
    .split(" ")
    .map((entry) => {
      const [typname, said] = entry.split("=") as [string, string | undefined];
      return [typname, (said ?? typname).replaceAll("_", " ")];
    }),
);

const NUMERIC_PRECISION_MAX = 1000;

export function bindTypeName(node: TypeNameNode, ctx: BindContext): SqlType {
  const names = (node.names ?? []).map(stringOf);
  const name = names.at(-1) ?? "";
  const position = ctx.position(node.location);
  const [schema] = names.length > 1 ? names : [undefined];
  const known = schema === undefined || schema === "pg_catalog";
  if (node.setof || node.pct_type) throw notSupported("a type taken from elsewhere", position);
  const said = known ? absent.get(name) : undefined;
  if (said !== undefined) throw notSupported(`type ${said}`, position, instead(name));
  const made = schema === undefined || schema === "public" ? ctx.catalog.type?.(name) : undefined;
  const type = (known ? types.get(name) : undefined) ?? made;
  if (type === undefined) {
    if ((schema === undefined || schema === "public") && ctx.catalog.relation(name) !== undefined)
      throw notSupported(`the row type of "${name}"`, position, "Name its columns instead.");
    throw new EvertError("undefined_object", `type "${names.join(".")}" does not exist`, { position });
  }
  if (type.domain !== undefined && node.typmods !== undefined) {
    throw new EvertError("syntax_error", `type modifier is not allowed for type "${name}"`, { position });
  }
  if (type.domain !== undefined && (node.arrayBounds?.length ?? 0) > 0)
    throw notSupported("an array of a domain", position);
  const modified = modifiedType(node, type, position);
  return (node.arrayBounds?.length ?? 0) > 0 ? arrayOf(modified) : modified;
}

export interface CastType {
  readonly type: SqlType;
  /** INTERVAL ... HOUR TO MINUTE; null for every other type. */
  readonly fields: IntervalRange | null;
}

/** The type of a cast: where an interval may name its fields. */
export function bindCastType(node: TypeNameNode, ctx: BindContext): CastType {
  const fields = stringOf(node.names?.at(-1)) === "interval" ? intervalFields(node) : null;
  if (fields === null) return { type: bindTypeName(node, ctx), fields };
  return { type: interval, fields };
}

/** Bits of the grammar's masks. */
const fieldBits: readonly [IntervalField, number][] = [
  ["year", 2],
  ["month", 1],
  ["day", 3],
  ["hour", 10],
  ["minute", 11],
  ["second", 12],
];

function intervalFields({ typmods, arrayBounds }: TypeNameNode): IntervalRange | null {
  const mask = as(typmods?.[0], "A_Const")?.ival?.ival;
  if (mask === undefined || typmods!.length > 1 || (arrayBounds?.length ?? 0) > 0) return null;
  const named = fieldBits.filter(([, bit]) => (mask & (1 << bit)) !== 0).map(([field]) => field);
  if (named.length === 0 || mask === FULL_RANGE) return null;
  return { from: named[0]!, to: named.at(-1)! };
}

const FULL_RANGE = 0x7fff;

function modifiedType(node: TypeNameNode, type: SqlType, position: number | undefined): SqlType {
  const modifiers = (node.typmods ?? []).map(
    (m) => as(m, "A_Const")?.ival?.ival ?? (as(m, "A_Const")?.ival ? 0 : NaN),
  );
  if (modifiers.length === 0) return type;
  if (type.name === "varchar" || type.name === "bpchar") return withLength(type, modifiers, position);
  return withModifiers(type, modifiers, position);
}

function instead(typname: string): string | undefined {
  if (typname === "char") return "Use text.";
  if (["smallserial", "serial2"].includes(typname)) return "Use smallint, and give the numbers yourself.";
  if (["serial", "serial4", "oid"].includes(typname)) return "Use integer, and give the numbers yourself.";
  if (["bigserial", "serial8"].includes(typname)) return "Use bigint, and give the numbers yourself.";
  if (typname === "timetz") return "Use time.";
  return undefined;
}

const LENGTH_MAX = 10_485_760;

/** char(n) and varchar(n). */
function withLength(type: SqlType, modifiers: readonly number[], position: number | undefined): SqlType {
  const [length] = modifiers;
  const said = type.name === "bpchar" ? "char" : "varchar";
  const invalid = (message: string) => new EvertError("invalid_argument", message, { position });
  if (modifiers.length > 1 || Number.isNaN(length)) throw invalid("invalid type modifier");
  if (length! < 1) throw invalid(`length for type ${said} must be at least 1`);
  if (length! > LENGTH_MAX) throw invalid(`length for type ${said} cannot exceed ${LENGTH_MAX}`);
  return { name: type.name, length: length! };
}

function withModifiers(type: SqlType, modifiers: readonly number[], position: number | undefined): SqlType {
  if (type.name !== "numeric") {
    if (["time", "timestamp", "timestamptz", "interval"].includes(type.name))
      throw notSupported(`a precision or fields of ${type.name}`, position);
    throw new EvertError("syntax_error", `type modifier is not allowed for type "${type.name}"`, {
      position,
    });
  }
  const [precision, scale = 0] = modifiers as [number, number?];
  const invalid = (message: string) => new EvertError("invalid_argument", message, { position });
  if (modifiers.length > 2 || modifiers.some(Number.isNaN)) throw invalid("invalid NUMERIC type modifier");
  if (precision < 1 || precision > NUMERIC_PRECISION_MAX) {
    throw invalid(`NUMERIC precision ${precision} must be between 1 and ${NUMERIC_PRECISION_MAX}`);
  }
  if (scale < -1000 || scale > 1000) throw invalid(`NUMERIC scale ${scale} must be between -1000 and 1000`);
  if (scale < 0 || scale > precision) {
    throw notSupported(`numeric(${precision},${scale}), a scale outside 0 and the precision,`, position);
  }
  return { name: "numeric", precision, scale };
}
