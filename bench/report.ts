/** What a bench gives back, and how it is shown: each number beside its peer, the ratio, and the goal. */

export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly peer?: string;
  readonly peerValue?: number;
  /** value / peerValue */
  readonly ratio?: number;
  /** The least ratio wanted. */
  readonly goal?: number | undefined;
  /** The least value wanted. */
  readonly goalValue?: number;
  readonly note?: string;
}

/** The best of several runs: on a shared machine everything else that happens makes a run slower, never faster. */
export async function best(runs: number, measure: () => Promise<number> | number): Promise<number> {
  let result = 0;
  for (let i = 0; i < runs; i++) result = Math.max(result, await measure());
  return result;
}

export function ratioOf(value: number, peer: number): number {
  return value / peer;
}

export function table(measured: readonly Measured[]): string {
  const lines = ["| | | beside | ratio | goal |", "|---|---|---|---|---|"];
  for (const m of measured) {
    const beside = m.peer === undefined ? "" : `${m.peer}: ${figure(m.peerValue ?? Number.NaN)} ${m.unit}`;
    const ratio = m.ratio === undefined ? "" : m.ratio.toFixed(2);
    const goal =
      m.goal !== undefined ? `≥ ${m.goal}` : m.goalValue !== undefined ? `≥ ${figure(m.goalValue)}` : "";
    const note = m.note === undefined ? "" : ` (${m.note})`;
    lines.push(`| ${m.name}${note} | ${figure(m.value)} ${m.unit} | ${beside} | ${ratio} | ${goal} |`);
  }
  return lines.join("\n");
}

function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
