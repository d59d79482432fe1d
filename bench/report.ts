/** What a bench gives back, and how it is shown: each number beside its peer, the ratio, and the goal. */

/** A figure between its goal divided and multiplied by this may be on the other side of it next time. */
const CLOSE = 7 / 6;

export interface Measured {
  readonly name: string;
  readonly unit: string;
  /** Null where it could not be measured here; `note` says why. */
  readonly value: number | null;
  readonly peer?: string;
  readonly peerValue?: number;
  /** Where it is not simply value / peerValue: the median over rounds in which both took turns. */
  readonly ratio?: number;
  /** The least value / peerValue wanted. */
  readonly goal?: number | undefined;
  /** The least, or the most, value wanted. */
  readonly least?: number;
  readonly most?: number;
  readonly note?: string;
}

/** Ends a bench file: prints what it measured, or hands it to `npm run bench`, which runs each file in a process of its own. */
export async function present(measure: () => Promise<Measured[]>): Promise<void> {
  const measured = await measure();
  if (process.send === undefined) console.log(table(measured));
  else process.send(measured);
}

/**
 * Lets the contenders take turns and gives the best of each: on a shared machine everything else that happens makes a run slower, never
 * faster, and meets all contenders alike.
 */
export async function turns<Name extends string>(
  rounds: number,
  contenders: Readonly<Record<Name, () => Promise<number> | number>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(contenders) as Name[];
  const best = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) best[name] = Math.max(best[name], await contenders[name]());
  }
  return best;
}

/**
 * Lets the contenders take turns and gives what each came to in each round, for medians: of each, and of the ratio of two within a round.
 * What comes and goes on a shared machine then meets both sides of a ratio, and no lucky round decides.
 */
export async function rounds<Name extends string>(
  count: number,
  contenders: Readonly<Record<Name, () => Promise<number> | number>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contenders) as Name[];
  const seen = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 0; round < count; round++) {
    for (const name of names) seen[name].push(await contenders[name]());
  }
  return seen;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function geometricMean(numbers: readonly number[]): number {
  return Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length);
}

/** Milliseconds of processor time that this thread has used: what else the machine does does not count. */
export function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/**
 * Watches the turns of this thread's event loop until it is called: the longest, in milliseconds of processor time. So long everyone else had to wait; what other processes take
 * does not count. Where the system counts processor time in ticks of some milliseconds, a turn is no longer than the clock says.
 */
export function watchTurns(): () => number {
  let longest = 0;
  let isDone = false;
  const watch = (beganAt: number, began: number): void => {
    const now = performance.now();
    const used = threadMs();
    longest = Math.max(longest, Math.min(now - beganAt, used - began));
    if (!isDone) setImmediate(watch, now, used);
  };
  watch(performance.now(), threadMs());
  return () => {
    isDone = true;
    return longest;
  };
}

export function ratioOf({ value, peerValue, ratio }: Measured): number | undefined {
  if (ratio !== undefined) return ratio;
  return value === null || peerValue === undefined ? undefined : value / peerValue;
}

export type Verdict = "met" | "missed";

/** How far the figure is beyond its goal: 1 meets it just so. Null where it has none, or was not measured. */
function overGoal(m: Measured): number | null {
  if (m.value === null) return null;
  if (m.goal !== undefined) return (ratioOf(m) ?? Number.NaN) / m.goal;
  if (m.least !== undefined) return m.value / m.least;
  return m.most === undefined ? null : m.most / m.value;
}

export function verdictOf(m: Measured): Verdict | null {
  const over = overGoal(m);
  if (over === null) return null;
  return over >= 1 ? "met" : "missed";
}

/** Whether another run might well say otherwise. */
export function isClose(m: Measured): boolean {
  const over = overGoal(m);
  return over !== null && over > 1 / CLOSE && over < CLOSE;
}

/** The same figures over several runs of a bench: of each value and ratio the median. */
export function medians(runs: readonly (readonly Measured[])[]): Measured[] {
  const [first = [], ...others] = runs;
  return first.map((m) => {
    const same = others.flatMap((run) => run.filter((o) => o.name === m.name && o.peer === m.peer));
    const all = [m, ...same].filter((o) => o.value !== null);
    if (same.length === 0 || all.length === 0) return m;
    const ratios = all.flatMap((o) => ratioOf(o) ?? []);
    const peerValues = all.flatMap((o) => o.peerValue ?? []);
    return {
      ...all[0]!,
      value: median(all.map((o) => o.value!)),
      ...(peerValues.length === 0 ? {} : { peerValue: median(peerValues) }),
      ...(ratios.length === 0 ? {} : { ratio: median(ratios) }),
    };
  });
}

/** `kept`: the same numbers as they were last written down, to stand in a column of their own. `benches`: of each number, whose it is. */
export function table(
  measured: readonly Measured[],
  { kept, benches }: { readonly kept?: readonly Measured[]; readonly benches?: readonly string[] } = {},
): string {
  const head = [...(benches === undefined ? [] : ["bench"]), "", "", "beside", "ratio", "goal"];
  if (kept !== undefined) head.push("kept");
  const lines = [`| ${head.join(" | ")} |`, `|${"---|".repeat(head.length)}`];
  for (const [i, m] of measured.entries()) {
    const ratio = ratioOf(m);
    const cells = [
      m.note === undefined ? m.name : `${m.name} (${m.note})`,
      m.value === null ? "not measured" : `${figure(m.value)} ${m.unit}`,
      m.peer === undefined ? "" : `${m.peer}: ${figure(m.peerValue ?? Number.NaN)} ${m.unit}`,
      ratio === undefined ? "" : ratio.toFixed(2),
      goalOf(m),
    ];
    if (benches !== undefined) cells.unshift(benches[i]!);
    if (kept !== undefined) cells.push(keptOf(m, kept));
    lines.push(`| ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

function goalOf(m: Measured): string {
  const goal = goalText(m);
  return verdictOf(m) === "missed" ? `${goal}: missed` : goal;
}

function goalText({ goal, least, most }: Measured): string {
  if (goal !== undefined) return `≥ ${goal}`;
  if (least !== undefined) return `≥ ${figure(least)}`;
  return most === undefined ? "" : `≤ ${figure(most)}`;
}

/** Of another run, and perhaps of another machine, the ratio says most. */
function keptOf(m: Measured, kept: readonly Measured[]): string {
  const before = kept.find((k) => k.name === m.name && k.peer === m.peer);
  if (before === undefined || before.value === null) return "";
  const ratio = ratioOf(before);
  return ratio === undefined ? figure(before.value) : ratio.toFixed(2);
}

export function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
