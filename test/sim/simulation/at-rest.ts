/** Copies of one log where nothing is under way: all have the same, show the same, and are what they should be. */
import type { Database } from "../../../src/engine/database.ts";
import { checkAsDefined } from "./as-defined.ts";
import { checkAsWritten } from "./as-written.ts";
import { type Commit, readLog, Violation } from "./commits.ts";
import { checkConsumer } from "./consumer.ts";
import type { Copy } from "./copy.ts";
import { lookedAtViews } from "./defining.ts";
import type { Fleet } from "./fleet.ts";
import * as keeping from "./keeping.ts";
import type { Run } from "./life.ts";
import { checkSame } from "./same-copies.ts";
import { DATA } from "./simulate.ts";

/** Brings all copies there, and looks at them. @throws Violation */
export async function rest(fleet: Fleet): Promise<void> {
  const { run, random, network, all, others } = fleet;
  network.mend();
  await fleet.restartFailed(fleet.leader);
  for (const copy of all) copy.disk.crashAfter(Number.POSITIVE_INFINITY);
  for (const other of others) await fleet.restartFailed(other);
  for (const other of others) await fleet.level(other);
  for (const copy of all) await makesViewsAnew(fleet, copy);
  const leader = fleet.leader.db as Database;
  for (const { life } of all) await Promise.all(life?.errands.splice(0) ?? []);
  await leader.settled();
  for (const other of others) await fleet.level(other);
  const { oracle } = run;
  const commits = await readLog(leader);
  const copies = new Map<Copy, readonly Commit[]>([[fleet.leader, commits]]);
  for (const other of others) {
    const copied = await readLog(other.db as Database);
    copies.set(other, copied);
    await checkSame(
      run,
      { name: fleet.leader.name, db: leader, commits },
      { name: other.name, db: other.db as Database, commits: copied },
    );
  }
  for (const copy of all) await shows(run, copy);
  run.trace(`at rest, with ${commits.length} commits`);
  oracle.adopt(commits);
  for (const [copy, copied] of copies) {
    oracle.checkCopy(copied);
    copy.place.check(copied);
    await copy.place.suspect(copy.disk);
    copy.place.judge(oracle.history);
    const db = copy.db as Database;
    copy.place.begins(db.topic("old").start);
    checkAsDefined(copy.name, db);
    await checkConsumer({ db, run });
  }
  if (run.shapes !== null) await checkKeys(fleet);
  oracle.forgetting.looked(
    keeping.keepingsOf(leader),
    leader.views().map(({ name }) => name),
  );
  lookedAtViews(run, leader);
  run.shapes?.looked(leader);
  for (const { id } of leader.topics()) oracle.forgetting.isThere(id);
  if (random.oneIn(3)) await eraseEverywhere(fleet);
}

/** Of logs with topics that were dropped keys cannot be read as all else is. */
async function checkKeys({ run, leader, others }: Fleet): Promise<void> {
  const theirs = await checkAsWritten(run.oracle, DATA, leader.disk);
  for (const { name, disk } of others) {
    const own = await checkAsWritten(run.oracle, DATA, disk);
    for (const [position, key] of theirs)
      if (own.get(position) !== key)
        throw new Violation(
          `the key and request of commit ${position} are ${own.get(position)} on ${name}, and ${key}`,
        );
  }
}

/** Where nothing is under way a replica takes out what was erased on its leader, unless the key has been written since. */
async function eraseEverywhere({ run, leader, others }: Fleet): Promise<void> {
  const { history } = run.oracle;
  for (const { name, life } of others) {
    for (const { topic, key, to } of leader.place.erasedKeys) {
      if (life === null || (await keeping.eraseCopy(life, topic, key))) continue;
      const isSince = ({ position, records }: Commit): boolean =>
        position > to && records.some((record) => record.topic === topic && record.key === key);
      // What could not be sealed is tried again later, and erasing then.
      const waits = life.db.core.log.stats().sealing.waiting > 0;
      if (!waits && !history.some(isSince))
        throw new Violation(`${key} of ${topic} cannot be erased on ${name}`);
    }
  }
}

/** What a view could not read of a disk that failed it reads when it is made anew, with the next start. */
async function makesViewsAnew(fleet: Fleet, copy: Copy): Promise<void> {
  const db = copy.db as Database;
  await db.built();
  const failures = db.views().map(({ name }) => db.viewFailure(name)?.message);
  if (failures.every((failure) => failure === undefined)) return;
  fleet.run.trace(`${copy.name} has views that failed: ${failures.join("; ")}`);
  await copy.stop(fleet.anyDeath());
  if (copy === fleet.leader) await copy.open(null);
  else await copy.follow(fleet.leader);
}

async function shows({ oracle }: Run, { name, db }: Copy): Promise<void> {
  if (db === null) return;
  await db.built();
  for (const view of db.views()) {
    const { position, rowsJson } = await db.view(view.name).rowsJson();
    const rows: string[] = [];
    for await (const chunk of rowsJson) rows.push(...chunk);
    oracle.sawView(view.name, Number(position), rows.sort(), `at rest on ${name}`);
  }
}
