/**
 * A leader that nobody could reach gave an epoch to an instance of a consumer, and one to a producer, and was lost. The replica that was promoted gave the same numbers to others:
 * two instances went on in one epoch, and what the one sent under a number that the other had used was answered as stored, and was not.
 */
import { expect, test } from "vitest";
import { networked, started } from "../engine/replica/nodes.ts";
import { level, refusal, until } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

test("what a lost leader gave is given to nobody else", async () => {
  const former = await started();
  await sql(
    former.db,
    "CREATE TABLE s (n int4) WITH (append_only); CREATE TABLE made (n int4) WITH (append_only)",
  );
  await former.db.append("s", [{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect(await former.db.openConsumer("c", ["s"])).toMatchObject({ epoch: 0 });
  expect(await former.db.registerProducer("p")).toMatchObject({ epoch: 0 });
  const network = await networked(former);
  const heir = await started({ follow: { url: network.url } });
  await level(former.db, heir.db);

  network.cut();
  const zombie = {
    consumer: (await former.db.openConsumer("c", ["s"])).epoch,
    producer: (await former.db.registerProducer("p")).epoch,
  };
  const work = (epoch: number, offset: number) =>
    heir.db.transact([{ topic: "made", append: [{ n: offset }] }], {
      consume: [{ name: "c", epoch, topic: "s", offset }],
    });
  const send = (epoch: number, n: number) =>
    heir.db.append("s", [{ n }], { producer: { id: "p", epoch, seq: 0 } });
  await heir.db.replication.promote();

  // It is told that it is over also before anybody has opened the consumer here: a program that is fenced ends, or opens anew.
  expect(await refusal(work(zombie.consumer, 1))).toMatchObject({ code: "fenced" });
  expect(await refusal(work(2 ** 40, 1))).toMatchObject({ code: "invalid_request" });

  // Whoever opens it now has an epoch of its own, whatever was given by whom it knows nothing of.
  const { epoch: reading } = await heir.db.openConsumer("c", ["s"]);
  const { epoch: sending } = await heir.db.registerProducer("p");
  expect(reading).toBeGreaterThan(zombie.consumer);
  expect(sending).toBeGreaterThan(zombie.producer);
  await work(reading, 2);
  expect(await send(sending, 4)).toMatchObject({ count: 1 });
  expect(await refusal(work(zombie.consumer, 3))).toMatchObject({ code: "fenced" });
  expect(await refusal(send(zombie.producer, 5))).toMatchObject({ code: "fenced" });
  await work(reading, 3);

  // The next one follows; also after a restart, and with a name that is new.
  expect(await heir.db.openConsumer("c", ["s"])).toMatchObject({ epoch: reading + 1 });
  await heir.stop();
  await heir.start({ follow: undefined });
  await until(() => heir.db.replication.info().role === "leader");
  expect(await heir.db.openConsumer("c", ["s"])).toMatchObject({ epoch: reading + 2 });
  expect((await heir.db.openConsumer("d", ["s"])).epoch).toBeGreaterThan(zombie.consumer);
  expect((await heir.db.registerProducer("q")).epoch).toBeGreaterThan(zombie.producer);
});
