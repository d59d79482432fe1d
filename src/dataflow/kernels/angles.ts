/**
 * Trigonometry, in radians and in degrees.
 *
 * In degrees the well-known angles come out exactly (sind(30) is 0.5, tand(45) is 1): as in PostgreSQL an angle is first brought into the
 * first quadrant, and there the sine below 30 degrees and the cosine below 60 are scaled so that the ends are met.
 */
import { fail, floatOverflow, scalarError } from "./errors.ts";
import { multiplyFloats } from "./float.ts";

const outOfRange = scalarError("numeric_value_out_of_range", "input is out of range");

const RADIANS = Math.PI / 180;

const SIN_30 = Math.sin(30 * RADIANS);
const ONE_MINUS_COS_60 = 1 - Math.cos(60 * RADIANS);
const ASIN_05 = Math.asin(0.5);
const ACOS_05 = Math.acos(0.5);
const ATAN_1 = Math.atan(1);

function sinOfQuarter(x: number): number {
  return x <= 30 ? smallSin(x) : smallCos(90 - x);
}

function cosOfQuarter(x: number): number {
  return x <= 60 ? smallCos(x) : smallSin(90 - x);
}

function smallSin(x: number): number {
  return Math.sin(x * RADIANS) / SIN_30 / 2;
}

function smallCos(x: number): number {
  return 1 - (1 - Math.cos(x * RADIANS)) / ONE_MINUS_COS_60 / 2;
}

const TAN_45 = sinOfQuarter(45) / cosOfQuarter(45);
const COT_45 = cosOfQuarter(45) / sinOfQuarter(45);

/** What a function of degrees makes of an angle in the first quadrant and of the signs that brought it there. */
function quartered(
  x: number,
  of: (quarter: number) => number,
  signs: { readonly odd: boolean; readonly pastHalf: 1 | -1; readonly pastQuarter: 1 | -1 },
): number {
  if (Number.isNaN(x)) return x;
  if (!Number.isFinite(x)) return fail(outOfRange, 0);
  let angle = x % 360;
  let sign = 1;
  if (angle < 0) {
    angle = -angle;
    if (signs.odd) sign = -sign;
  }
  if (angle > 180) {
    angle = 360 - angle;
    sign *= signs.pastHalf;
  }
  if (angle > 90) {
    angle = 180 - angle;
    sign *= signs.pastQuarter;
  }
  return sign * of(angle);
}

const sind = (x: number) => quartered(x, sinOfQuarter, { odd: true, pastHalf: -1, pastQuarter: 1 });
const cosd = (x: number) => quartered(x, cosOfQuarter, { odd: false, pastHalf: 1, pastQuarter: -1 });
const tand = (x: number) => {
  const tan = quartered(x, (q) => sinOfQuarter(q) / cosOfQuarter(q) / TAN_45, {
    odd: true,
    pastHalf: -1,
    pastQuarter: -1,
  });
  return tan === 0 ? 0 : tan;
};
const cotd = (x: number) => {
  const cot = quartered(x, (q) => cosOfQuarter(q) / sinOfQuarter(q) / COT_45, {
    odd: true,
    pastHalf: -1,
    pastQuarter: -1,
  });
  return cot === 0 ? 0 : cot;
};

function asinOfQuarter(x: number): number {
  return x <= 0.5 ? (Math.asin(x) / ASIN_05) * 30 : 90 - (Math.acos(x) / ACOS_05) * 60;
}

function acosOfQuarter(x: number): number {
  return x <= 0.5 ? 90 - (Math.asin(x) / ASIN_05) * 30 : (Math.acos(x) / ACOS_05) * 60;
}

function within(low: number, high: number, of: (x: number) => number): (x: number) => number {
  return (x) => (x < low || x > high ? fail(outOfRange, 0) : of(x));
}

function finite(of: (x: number) => number): (x: number) => number {
  return (x) => (Number.isFinite(x) || Number.isNaN(x) ? of(x) : fail(outOfRange, 0));
}

/** Finite arguments give finite results. */
function bounded(of: (x: number) => number): (x: number) => number {
  return (x) => {
    const r = of(x);
    return Number.isFinite(x) && !Number.isFinite(r) ? fail(floatOverflow, 0) : r;
  };
}

export const angles = {
  float8_pi: () => Math.PI,
  float8_degrees: bounded((x) => x / RADIANS),
  float8_radians: (x: number) => multiplyFloats(x, RADIANS),
  float8_sin: finite(Math.sin),
  float8_cos: finite(Math.cos),
  float8_tan: finite(Math.tan),
  float8_cot: finite((x) => 1 / Math.tan(x)),
  float8_asin: within(-1, 1, Math.asin),
  float8_acos: within(-1, 1, Math.acos),
  float8_atan: Math.atan,
  float8_atan2: Math.atan2,
  float8_sind: sind,
  float8_cosd: cosd,
  float8_tand: tand,
  float8_cotd: cotd,
  float8_asind: within(-1, 1, (x) => (x >= 0 ? asinOfQuarter(x) : -asinOfQuarter(-x))),
  float8_acosd: within(-1, 1, (x) => (x >= 0 ? acosOfQuarter(x) : 90 + asinOfQuarter(-x))),
  float8_atand: (x: number) => (Math.atan(x) / ATAN_1) * 45,
  float8_atan2d: (y: number, x: number) => (Math.atan2(y, x) / ATAN_1) * 45,
  // An overflow of these is infinity in PostgreSQL too, and of none an error.
  float8_sinh: Math.sinh,
  float8_cosh: Math.cosh,
  float8_tanh: Math.tanh,
  float8_asinh: Math.asinh,
  float8_acosh: within(1, Number.POSITIVE_INFINITY, Math.acosh),
  float8_atanh: within(-1, 1, Math.atanh),
};
