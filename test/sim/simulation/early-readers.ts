/**
 * Who follows a topic whose columns change, from before the log has been replayed: records of columns that are not known yet are waited for. In the end all have come that the log has, each with the
 * values that it was written with, none twice and none out of its order.
 */
import type { EvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { isShaped, type ShapedName } from "./columns.ts";
import { isSameRow, readLog, type Stored, Violation } from "./commits.ts";
import type { Run } from "./life.ts";
import { cellsOf } from "./shaping.ts";

/** So many turns of the event loop are enough, once all has been replayed. */
const TURNS_MAX = 20_000;

interface Seen {
  readonly position: number;
  readonly json: string | null;
}

interface Reader {
  readonly topic: ShapedName;
  readonly id: number;
  readonly from: number;
  readonly seen: Map<number, Seen>;
  error: unknown;
}

/** REQUIRES a database that has just been opened, and is replaying its log. */
export class EarlyReaders {
  readonly #run: Run;
  readonly #db: Database;
  readonly #ended = new AbortController();
  readonly #readers: Reader[] = [];

  constructor(run: Run, db: Database, random: SeededRandom) {
    this.#run = run;
    this.#db = db;
    for (const { name, id } of db.topics()) {
      if (!isShaped(name)) continue;
      // It may end behind what the catalog knows by now.
      const end = db.core.log.topicEnd(id);
      const from = random.oneIn(2) ? 0 : random.below(end + 1);
      const reader: Reader = { topic: name, id, from, seen: new Map(), error: null };
      this.#readers.push(reader);
      run.trace(`follow ${name} ${id} from ${from} of ${end}, while the log is replayed`);
      this.#follow(reader).catch((error: unknown) => {
        reader.error = error;
      });
    }
  }

  end(): void {
    this.#ended.abort();
  }

  async #follow({ topic, from, seen }: Reader): Promise<void> {
    let last = from - 1;
    const options = { from, follow: true, signal: this.#ended.signal };
    for await (const { offset, position, valueJson } of this.#db.readTopic(topic, options)) {
      if (offset <= last) throw new Violation(`who follows ${topic} was told ${offset} after ${last}`);
      last = offset;
      seen.set(offset, { position: Number(position), json: valueJson });
    }
  }

  /** REQUIRES that the oracle has adopted the log, and that nobody writes. @throws Violation */
  async check(): Promise<void> {
    for (const reader of this.#readers) await this.#check(reader);
  }

  async #check(reader: Reader): Promise<void> {
    const { topic, id, from, seen } = reader;
    const db = this.#db;
    const isThere = (): boolean => db.topics().some((one) => one.id === id);
    const what = `who follows ${topic} ${id} from ${from} since before the log was replayed`;
    for (let turn = 0; isThere(); turn++) {
      if (reader.error !== null) {
        const { code, stack } = reader.error as EvertError;
        throw new Violation(`${what} is told ${code}: ${stack}`);
      }
      const lacking = this.#records(id).find(({ offset }) => offset >= from && !seen.has(offset));
      if (lacking === undefined) break;
      if (turn === TURNS_MAX) {
        // It may have been let go since.
        const commits = await readLog(db);
        const isStored = commits.some(({ records }) =>
          records.some((record) => record.topicId === id && record.offset === lacking.offset),
        );
        if (isStored) throw new Violation(`${what} has not been told ${JSON.stringify(lacking)}`);
        break;
      }
      await new Promise((done) => setImmediate(done));
    }
    if (!isThere()) return;
    const stored = new Map<number, { position: number; record: Stored }>();
    for (const { position, records } of this.#run.oracle.history)
      for (const record of records)
        if (record.topicId === id) stored.set(record.offset, { position, record });
    for (const [offset, { position, json }] of seen) {
      const is = stored.get(offset);
      const value = json === null ? null : cellsOf(json);
      if (is === undefined || is.position !== position || !isSameRow(value, is.record.value))
        throw new Violation(
          `${what} was told ${offset} at ${position}: ${json}\n  and the log has ${JSON.stringify(is)}`,
        );
    }
    this.#run.trace(`${what} has ${seen.size} records`);
  }

  /** Of the topic, as far as they are there. */
  #records(id: number): Stored[] {
    const { oracle } = this.#run;
    return oracle.history.flatMap(({ records }) =>
      records.filter((record) => record.topicId === id && !oracle.isGone(record)),
    );
  }
}
