/**
 * Order of two numerics by their PostgreSQL text, without parsing them into anything: sign, then digits before the point by
 * length, then digit by digit. -Infinity < numbers < Infinity < NaN, as in PostgreSQL.
 */
const MINUS = 45;
const DOT = 46;
const ZERO = 48;

export function compareNumericText(a: Uint8Array, b: Uint8Array): number {
  const ra = rankOf(a);
  const rb = rankOf(b);
  if (ra !== rb) return ra - rb;
  if (ra !== 0) return 0;
  const na = isNegative(a);
  const nb = isNegative(b);
  if (na !== nb) return na ? -1 : 1;
  const d = compareMagnitude(a, na ? 1 : 0, b, nb ? 1 : 0);
  return na ? -d : d;
}

/** Finite numbers 0, -Infinity -1, Infinity 1, NaN 2. */
function rankOf(v: Uint8Array): number {
  if (v[0] === 78) return 2;
  if (v[0] === 73) return 1;
  return v[0] === MINUS && v[1] === 73 ? -1 : 0;
}

/** A minus sign before something that is not zero. */
function isNegative(v: Uint8Array): boolean {
  if (v[0] !== MINUS) return false;
  for (let i = 1; i < v.length; i++) if (v[i] !== ZERO && v[i] !== DOT) return true;
  return false;
}

function compareMagnitude(a: Uint8Array, i: number, b: Uint8Array, j: number): number {
  if (a[i] === MINUS) i++;
  if (b[j] === MINUS) j++;
  while (a[i] === ZERO && i + 1 < a.length && a[i + 1] !== DOT) i++;
  while (b[j] === ZERO && j + 1 < b.length && b[j + 1] !== DOT) j++;
  const dotA = pointOf(a);
  const dotB = pointOf(b);
  if (dotA - i !== dotB - j) return dotA - i - (dotB - j);
  const whole = dotA - i;
  for (let k = 0; k < whole; k++) {
    const d = (a[i + k] as number) - (b[j + k] as number);
    if (d !== 0) return d;
  }
  for (let x = dotA + 1, y = dotB + 1; x < a.length || y < b.length; x++, y++) {
    const d = (x < a.length ? (a[x] as number) : ZERO) - (y < b.length ? (b[y] as number) : ZERO);
    if (d !== 0) return d;
  }
  return 0;
}

function pointOf(v: Uint8Array): number {
  const at = v.indexOf(DOT);
  return at < 0 ? v.length : at;
}
