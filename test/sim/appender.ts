/**
 * A process that is going to be killed (sigkill.test.ts). It opens the directory and appends with several writers at once, each commit in three topics
 * under an idempotency key, and says on standard output what it is about to do and what was acknowledged:
 *
 *   ready            the directory is open
 *   try W N          writer W begins its commit N (again, if it was cut off last time)
 *   ack W N POSITION
 *
 * A pipe is written synchronously on Linux: what was said is with the parent when the process dies.
 */
import { writeSync } from "node:fs";
import { openEngine } from "../../src/engine/open-engine.ts";

const [directory, nextText, lateView] = process.argv.slice(2) as [string, string, string | undefined];
const next = JSON.parse(nextText) as number[];

const say = (line: string): void => {
  // At once and whole: what stands in a buffer of this process dies with it.
  const bytes = Buffer.from(`${line}\n`);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
};

const db = await openEngine({ directory, checkpointIntervalMs: 25, report: (line) => say(`# ${line}`) });
const { error } = await db.sql(`
  CREATE TABLE IF NOT EXISTS event (writer int4 NOT NULL, n int4 NOT NULL, part int4 NOT NULL) WITH (append_only);
  CREATE TABLE IF NOT EXISTS latest (writer int4 PRIMARY KEY, n int4, note text);
  CREATE TABLE IF NOT EXISTS note (writer int4, n int4);
  CREATE MATERIALIZED VIEW IF NOT EXISTS per_writer AS
    SELECT writer, count(*) AS events, sum(n) AS total, max(n) AS last FROM event GROUP BY writer;
  CREATE MATERIALIZED VIEW IF NOT EXISTS at_latest AS
    SELECT e.writer, e.n, e.part, l.note FROM event e JOIN latest l ON l.writer = e.writer AND l.n = e.n;
  CREATE MATERIALIZED VIEW IF NOT EXISTS newest AS SELECT writer, n, part FROM event ORDER BY n DESC, writer, part LIMIT 10;
  CREATE MATERIALIZED VIEW IF NOT EXISTS notes AS SELECT writer, count(*) AS c FROM note GROUP BY writer HAVING count(*) > 1;
`);
if (error !== undefined) throw new Error(error.message);
say("ready");

/** Built, and likely cut off, while the writers write. */
if (lateView !== undefined) {
  void db.sql(
    `CREATE MATERIALIZED VIEW ${lateView} AS SELECT n % 7 AS rest, count(*) AS c FROM event GROUP BY n % 7`,
  );
}

async function write(writer: number): Promise<void> {
  for (let n = next[writer] as number; ; n++) {
    say(`try ${writer} ${n}`);
    const { position } = await db.transact(
      [
        { topic: "event", append: [{ writer, n, part: 0 }] },
        { topic: "latest", append: [{ writer, n, note: `writer ${writer} wrote ${n}` }] },
        { topic: "note", append: [{ writer, n }] },
        {
          topic: "event",
          append: [
            { writer, n, part: 1 },
            { writer, n, part: 2 },
          ],
        },
        ...(n % 5 === 4 ? [{ topic: "latest", delete: [writer] }] : []),
      ],
      { idempotencyKey: `${writer}/${n}` },
    );
    say(`ack ${writer} ${n} ${position}`);
  }
}

await Promise.all(next.map((_, writer) => write(writer)));
