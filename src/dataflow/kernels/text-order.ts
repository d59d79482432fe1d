const utf8 = new TextEncoder();

/** Byte order of UTF-8, which is code point order; UTF-16 units differ from it only at surrogates. */
export function compareText(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    const x = utf8.encode(a);
    const y = utf8.encode(b);
    for (let j = 0; j < x.length && j < y.length; j++) if (x[j] !== y[j]) return x[j]! - y[j]!;
    return x.length - y.length;
  }
  return a.length - b.length;
}
