/**
 * How much a row in the journal of a store changed. Where rows have weights, a changed weight is an old version that died and
 * a new one that was born: for whoever reads the delta that is one change, by the difference, told with the born version. So a collection that only
 * grows never gives a negative change.
 */
import type { RowLayout } from "../../state/layout.ts";

export interface Versioned {
  readonly layout: RowLayout;
  /** Whether the weight word counts. */
  readonly weighted: boolean;
  /** Whether versions of a row may differ in weight alone; then an index by the whole row finds them. */
  readonly versioned: boolean;
}

/** Function `name(slot, b, sign, from, to, I, F)`: the row's change, 0 for none. `index`: name of the row's index. */
export function changeFunction(
  name: string,
  { layout, weighted, versioned }: Versioned,
  index: string,
): string {
  const { strideWords: stride, birthWord, deathWord, weightWord } = layout;
  const weight = (base: string) => (weighted ? `I[${base} + ${weightWord}]` : "1");
  if (!versioned)
    return `const ${name} = (slot, b, sign, from, to, I, F) => ${weighted ? `sign * ${weight("b")}` : "sign"};`;
  const invisible = (at: string) =>
    `!(I[v * ${stride} + ${birthWord}] <= ${at} && ${at} < I[v * ${stride} + ${deathWord}])`;
  return `function ${name}(slot, b, sign, from, to, I, F) {
    let v = sign < 0 ? ${index}.like(slot) : ${index}.next(slot);
    const at = sign < 0 ? to : from;
    while (v >= 0 && ${invisible("at")}) v = ${index}.next(v);
    if (v < 0) return sign * ${weight("b")};
    return sign < 0 ? 0 : ${weight("b")} - ${weight(`v * ${stride}`)};
  }`;
}
