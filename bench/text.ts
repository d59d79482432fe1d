/**
 * Text as a key: the same job on strings of 10 to 40 bytes and on integers.
 *
 * Streams of 1,000,000 records in batches of 1,000, made before the clock starts, in the engine's circuit alone: columns in, view rows and their
 * changes out, in processor time, medians over turns. The keys of the two forms are the same, one as a number and one written out, so both come
 * to the same groups and pairs. The ratio is that of text to integers; the goal is a half.
 *
 * - "group by": count and sum over 100,000 different keys.
 * - "join": with a relation of 100,000 rows, on the key; a sum of each of a hundred groups of pairs.
 *
 *   node --conditions=evert-source bench/text.ts
 */
import type { Batch } from "../src/batch/batch.ts";
import { BatchBuilder } from "../src/batch/builder.ts";
import { Circuit } from "../src/dataflow/circuit.ts";
import { Feeder } from "../src/engine/builds/feeder.ts";
import { int8, open, text, topic } from "../src/index.ts";
import { sourceIds } from "../src/plan/inspect.ts";
import type { Plan } from "../src/plan/plan.ts";
import { Dictionary } from "../src/state/dictionary.ts";
import { SeededRandom } from "../src/testing/seeded-random.ts";
import { takeTouched } from "../src/views/step-changes.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, median, present, rounds, threadMs } from "./report.ts";
import { topicBatch } from "./topic-batch.ts";

const RECORDS = 1_000_000;
const BATCH = 1_000;
const KEYS = 100_000;
const TURNS = 5;
const VIEW = 1_000_000;

const topics = {
  int8: {
    facts: topic("facts_int8", { schema: { k: int8, amount: int8 } }),
    names: topic("names_int8", { schema: { k: int8, class: int8 } }),
  },
  text: {
    facts: topic("facts_text", { schema: { k: text, amount: int8 } }),
    names: topic("names_text", { schema: { k: text, class: int8 } }),
  },
};
type Form = keyof typeof topics;

const jobs = {
  "group by": (form: Form) => `SELECT k, count(*) AS n, sum(amount) AS total FROM facts_${form} GROUP BY k`,
  join: (form: Form) =>
    `SELECT class, count(*) AS n, sum(amount) AS total FROM facts_${form} JOIN names_${form} USING (k) GROUP BY class`,
};

interface Input {
  readonly name: string;
  readonly batches: readonly Batch[];
}

interface Job {
  readonly plan: Plan;
  readonly ids: ReadonlyMap<string, number>;
}

async function measure(): Promise<Measured[]> {
  const inputs = { int8: inputsOf("int8"), text: inputsOf("text") };
  const measured: Measured[] = [];
  for (const [name, sql] of Object.entries(jobs)) {
    const [onIntegers, onText] = await Promise.all([planned(sql("int8")), planned(sql("text"))]);
    const answers = new Set<number>();
    const rate = (job: Job, form: Form) => () => {
      const { perSecond, rows } = run(job, inputs[form]);
      answers.add(rows);
      return perSecond;
    };
    const seen = await rounds(TURNS, { integers: rate(onIntegers, "int8"), text: rate(onText, "text") });
    if (answers.size !== 1) throw new Error(`${name}: text and integers differ in their number of rows`);
    measured.push({
      name: `${name} on text`,
      unit: "records/s",
      value: median(seen.text),
      peer: "on integers",
      peerValue: median(seen.integers),
      ratio: median(seen.text.map((value, turn) => value / seen.integers[turn]!)),
      goal: 0.5,
    });
  }
  return measured;
}

/** The relation first, then the stream. */
function inputsOf(form: Form): Input[] {
  const random = new SeededRandom(7);
  const keyOf = form === "text" ? written : (key: number) => key;
  const { facts, names } = topics[form];
  const relation = Array.from({ length: KEYS }, (_, key) => ({ k: keyOf(key), class: key % 100 }));
  const stream = Array.from({ length: RECORDS }, (_, i) => ({
    k: keyOf(random.below(KEYS)),
    amount: i % 1000,
  }));
  return [
    { name: names.name, batches: batchesOf(names.schema, relation) },
    { name: facts.name, batches: batchesOf(facts.schema, stream) },
  ];
}

/** 10 to 40 bytes, as names and addresses are: alike at the beginning, of different lengths. */
function written(key: number): string {
  return `key-${String((key * 7919) % 1_000_003).padStart(6, "0")}${"/of-a-longer-name-with-parts-in-it".slice(0, key % 31)}`;
}

function batchesOf(schema: ConstructorParameters<typeof BatchBuilder>[0], rows: readonly object[]): Batch[] {
  return Array.from({ length: rows.length / BATCH }, (_, i) => {
    const builder = new BatchBuilder(schema);
    for (const row of rows.slice(i * BATCH, (i + 1) * BATCH)) builder.appendRow(row);
    return builder.finish();
  });
}

async function planned(sql: string): Promise<Job> {
  return withDirectory(async (dir) => {
    const all = Object.values(topics).flatMap(({ facts, names }) => [facts, names]);
    await using db = await open({ dir, topics: all, views: [] });
    const { error } = await db.engine.sql(`CREATE MATERIALIZED VIEW v AS ${sql}`);
    if (error !== undefined) throw new Error(error.message);
    const { catalog, views } = db.engine.core;
    const { plan } = views.named("v").query!;
    return { plan, ids: new Map(all.map(({ name }) => [name, catalog.topic(name).id])) };
  });
}

function run({ plan, ids }: Job, inputs: readonly Input[]): { perSecond: number; rows: number } {
  const dictionary = new Dictionary();
  const circuit = new Circuit({ dictionary });
  for (const { name } of inputs) circuit.topics.addStream(ids.get(name)!, name);
  circuit.addView(VIEW, "v", plan);
  const read = sourceIds(plan);
  const started = threadMs();
  let epoch = 0;
  for (const { name, batches } of inputs) {
    const id = ids.get(name)!;
    const feeder = new Feeder(batches[0]!.schema, dictionary);
    if (!read.has(id)) continue;
    for (const batch of batches) {
      circuit.begin(++epoch);
      for (let from = 0; from < batch.length; ) {
        const next = feeder.fill(topicBatch(id, batch), from, batch.length, 0, () => true);
        circuit.topics.feedStream(id, feeder.chunk);
        while (!circuit.run(Number.POSITIVE_INFINITY));
        from = next;
      }
      circuit.end();
      while (!circuit.run(Number.POSITIVE_INFINITY));
      takeTouched(circuit.view(VIEW).store);
      circuit.vacuum(epoch);
    }
  }
  const perSecond = (RECORDS * 1000) / (threadMs() - started);
  const { failed, store } = circuit.view(VIEW);
  if (failed !== null) throw failed;
  return { perSecond, rows: store.live };
}

await present(measure);
