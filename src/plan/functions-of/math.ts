/** Functions of numbers beyond arithmetic: bits, divisors, roots, angles, buckets. */
import { float8, int2, int4, int8, numeric, type SqlType } from "../../batch/types.ts";
import { both, type Entry, F, fn, operator } from "./entry.ts";

const oneFloat = (name: string) => fn(name, [float8], float8, F);

function bits<N extends "int2" | "int4" | "int8">(type: SqlType & { name: N }) {
  return {
    and: operator("&", [type, type], type),
    or: operator("|", [type, type], type),
    xor: operator("#", [type, type], type),
    not: operator("~", [type], type),
    shift_left: operator("<<", [type, int4], type),
    shift_right: operator(">>", [type, int4], type),
  };
}

function named<P extends string, T extends Record<string, Entry>>(prefix: P, table: T) {
  return Object.fromEntries(Object.entries(table).map(([k, e]) => [`${prefix}_${k}`, e])) as {
    [K in keyof T & string as `${P}_${K}`]: Entry;
  };
}

export const mathFunctions = {
  ...named("int2", bits({ ...int2, name: "int2" })),
  ...named("int4", bits({ ...int4, name: "int4" })),
  ...named("int8", bits({ ...int8, name: "int8" })),
  int4_gcd: fn("gcd", [int4, int4], int4, F),
  int8_gcd: fn("gcd", [int8, int8], int8, F),
  numeric_gcd: fn("gcd", [numeric, numeric], numeric),
  int4_lcm: fn("lcm", [int4, int4], int4, F),
  int8_lcm: fn("lcm", [int8, int8], int8, F),
  numeric_lcm: fn("lcm", [numeric, numeric], numeric, F),
  int8_factorial: fn("factorial", [int8], numeric, F),
  numeric_quotient: fn("div", [numeric, numeric], numeric, F),
  numeric_scale: fn("scale", [numeric], int4, "nullable"),
  numeric_min_scale: fn("min_scale", [numeric], int4, "nullable"),
  numeric_trim_scale: fn("trim_scale", [numeric], numeric),
  numeric_width_bucket: fn("width_bucket", [numeric, numeric, numeric, int4], int4, F),
  float8_width_bucket: fn("width_bucket", [float8, float8, float8, int4], int4, F),
  float8_cbrt: both("||/", "cbrt", [float8], float8),
  float8_pi: fn("pi", [], float8),
  float8_degrees: oneFloat("degrees"),
  float8_radians: oneFloat("radians"),
  float8_sin: oneFloat("sin"),
  float8_cos: oneFloat("cos"),
  float8_tan: oneFloat("tan"),
  float8_cot: oneFloat("cot"),
  float8_asin: oneFloat("asin"),
  float8_acos: oneFloat("acos"),
  float8_atan: oneFloat("atan"),
  float8_atan2: fn("atan2", [float8, float8], float8),
  float8_sind: oneFloat("sind"),
  float8_cosd: oneFloat("cosd"),
  float8_tand: oneFloat("tand"),
  float8_cotd: oneFloat("cotd"),
  float8_asind: oneFloat("asind"),
  float8_acosd: oneFloat("acosd"),
  float8_atand: oneFloat("atand"),
  float8_atan2d: fn("atan2d", [float8, float8], float8),
  float8_sinh: oneFloat("sinh"),
  float8_cosh: oneFloat("cosh"),
  float8_tanh: oneFloat("tanh"),
  float8_asinh: oneFloat("asinh"),
  float8_acosh: oneFloat("acosh"),
  float8_atanh: oneFloat("atanh"),
} as const satisfies Record<string, Entry>;
