/** To the nearest integer, a half to the even one, as C's rint: also keeps the sign of a zero. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const above = x - floor;
  if (above < 0.5) return above === 0 ? x : floor;
  return above > 0.5 || floor % 2 !== 0 ? Math.ceil(x) : floor;
}
