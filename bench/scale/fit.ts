/** Least squares: the line through points (x, y). */
export function lineFit(points: readonly (readonly [number, number])[]): {
  readonly at0: number;
  readonly slope: number;
} {
  const n = points.length;
  const [meanX, meanY] = [0, 1].map((d) => points.reduce((sum, p) => sum + p[d as 0 | 1], 0) / n) as [
    number,
    number,
  ];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = under === 0 ? 0 : over / under;
  return { at0: meanY - slope * meanX, slope };
}
