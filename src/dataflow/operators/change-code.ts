/**
 * How much a row in the journal of a store changed. Where rows have weights, a changed weight is an old version that died and
 * a new one that was born: for whoever reads the delta that is one change, by the difference, told with the born version. So a collection that only
 * grows never gives a negative change.
 */
import type { RowLayout } from "../../state/layout.ts";
import { readers } from "./row-code.ts";

export interface Versioned {
  readonly layout: RowLayout;
  /** Whether the weight word counts. */
  readonly weighted: boolean;
  /** Columns by which versions of a row are found; null where a row has one version only. */
  readonly versions: readonly number[] | null;
}

/** Function `name(slot, b, sign, from, to, I, F)`: the row's change, 0 for none. */
export function changeFunction(
  name: string,
  { layout, weighted, versions }: Versioned,
  find: string,
  next: string,
): string {
  const { strideWords: stride, birthWord, deathWord, weightWord } = layout;
  const weight = (base: string) => (weighted ? `I[${base} + ${weightWord}]` : "1");
  if (versions === null)
    return `const ${name} = (slot, b, sign, from, to, I, F) => ${weighted ? `sign * ${weight("b")}` : "sign"};`;
  const { read, isNull } = readers(layout, "I", "F");
  const mask = versions.flatMap((c, i) =>
    layout.columns[c]!.nullable ? [`(${isNull(c, "b")} << ${i})`] : [],
  );
  const key = [...versions.map((c) => read(c, "b")), mask.length === 0 ? "0" : mask.join(" | ")].join(", ");
  const invisible = (at: string) =>
    `!(I[v * ${stride} + ${birthWord}] <= ${at} && ${at} < I[v * ${stride} + ${deathWord}])`;
  return `function ${name}(slot, b, sign, from, to, I, F) {
    let v = sign < 0 ? ${find}(${key}) : ${next}(slot);
    const at = sign < 0 ? to : from;
    while (v >= 0 && ${invisible("at")}) v = ${next}(v);
    if (v < 0) return sign * ${weight("b")};
    return sign < 0 ? 0 : ${weight("b")} - ${weight(`v * ${stride}`)};
  }`;
}
