/**
 * The HTTP interface as a stranger uses it: a real server, the app of the interface page, every operation of /v1 once, and each answer
 * held against the server's own OpenAPI document. One walk over one server, in this order: later parts meet what earlier ones have left.
 */
import { describe, expect, it } from "vitest";
import { appends } from "./http/appends.ts";
import { avro } from "./http/avro.ts";
import { backup } from "./http/backup.ts";
import { copies } from "./http/copies.ts";
import { consumers, producers } from "./http/progress.ts";
import { recordsOfATopic } from "./http/records.ts";
import { theRest } from "./http/rest.ts";
import { sql } from "./http/sql.ts";
import { eventStreams } from "./http/streams.ts";
import { transactions } from "./http/transactions.ts";
import { versions } from "./http/versions.ts";
import { topicsAndViews } from "./http/views.ts";
import { contract } from "./http/walk.ts";

describe("POST /sql", sql);
describe("POST /topics/{t}/records", appends);
describe("records of a topic", recordsOfATopic);
describe("Avro", avro);
describe("producers", producers);
describe("consumers", consumers);
describe("POST /transactions", transactions);
describe("GET /backup", backup);
describe("topics and views", topicsAndViews);
describe("event streams", eventStreams);
describe("versions of a view", versions);
describe("the rest", theRest);
// Last of all: the server that the others share writes nothing more then.
describe("copies of the log", copies);

it("every operation of the document was walked", async () => {
  const walked = new Set(
    [...contract.seen].filter((entry) => entry.endsWith(" 200")).map((entry) => entry.split(" ")[0]),
  );
  // Their answers do not end: above, outside ask().
  walked.add("subscribe").add("followLog").add("openWebSocket");
  expect(contract.operationIds.filter((id) => !walked.has(id))).toEqual([]);
});
