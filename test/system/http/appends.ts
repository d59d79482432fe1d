/** Records that come in: as JSON, NDJSON and Arrow, and those that are refused. */
import { describe, expect, it } from "vitest";
import { writeArrow } from "../../../src/batch/arrow.ts";
import { BatchBuilder } from "../../../src/batch/builder.ts";
import { schemaOf } from "../../../src/batch/schema.ts";
import { int4, int8, text } from "../../../src/batch/types.ts";
import { appended, arrow, ask, error, json, ndjson, ok, position, records } from "./walk.ts";

const appendCases: [
  what: string,
  topic: string,
  type: string,
  content: unknown,
  status: number,
  body: unknown,
][] = [
  ["one value", "event", json, { n: 1, word: "a" }, 200, appended(1)],
  ["an array", "event", json, [{ n: 1 }, { word: "b" }], 200, appended(2)],
  ["NDJSON", "event", ndjson, '{"n":9007199254740993}\n\n{"n":2,"word":"c"}\r\n', 200, appended(2)],
  ["a table takes its key from the value", "item", json, { id: 3, name: "drei" }, 200, appended(1)],
  ["a table without a key", "loose", json, { n: 7 }, 200, appended(1)],
  ["a topic of the app", "plays", json, { song_id: 1, duration: 1 }, 200, appended(1)],
  [
    "a bad record names index, path and reason",
    "item",
    json,
    [
      { id: 50, name: "x" },
      { id: 51, name: 7 },
    ],
    400,
    error("datatype_mismatch", "42804", { message: "records[1].name: expected a string, got 7" }),
  ],
  [
    "a bad line names line, path and reason",
    "item",
    ndjson,
    '{"id":50,"name":"x"}\n{"id":51}\n',
    400,
    error("not_null_violation", "23502", { message: expect.stringMatching(/^line 2: name: /) }),
  ],
  [
    "what the app's own schema refuses",
    "plays",
    ndjson,
    '{"song_id":1,"duration":1}\n{"song_id":1.5,"duration":1}',
    400,
    error("invalid_value", "22000", { message: expect.stringMatching(/^line 2: song_id: /) }),
  ],
  [
    "an unknown property",
    "loose",
    json,
    { different: 1 },
    400,
    error("undefined_column", "42703", { hint: "The columns are n." }),
  ],
  [
    "no JSON in a line",
    "event",
    ndjson,
    '{"n":1}\n{"n":',
    400,
    error("invalid_text_representation", "22P02", {
      message: expect.stringMatching(/^line 2: /),
      detail: expect.any(String),
    }),
  ],
  [
    "invalid UTF-8",
    "event",
    ndjson,
    Uint8Array.of(0x22, 0xff, 0x22),
    400,
    error("untranslatable_character", "22021", { hint: expect.any(String) }),
  ],
  ["nothing", "event", json, [], 400, error("invalid_request", "22023", { hint: expect.any(String) })],
  [
    "an unknown topic",
    "nothing",
    json,
    {},
    404,
    error("undefined_table", "42P01", { hint: expect.any(String) }),
  ],
  [
    "an unknown format",
    "event",
    "text/plain",
    "x",
    400,
    error("invalid_request", "22023", { hint: expect.stringContaining(ndjson) }),
  ],
  [
    "damaged Arrow",
    "event",
    arrow,
    Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    400,
    error("invalid_request", "22023"),
  ],
];

export function appends(): void {
  it.each(appendCases)("%s", async (_, topic, type, content, status, body) => {
    const before = topic === "nothing" ? "" : await records(topic);
    const answer = await ask(`POST /v1/topics/${topic}/records`, content, { type });
    expect([answer.status, answer.body]).toEqual([status, body]);
    // Refused whole, stored whole.
    if (status !== 200) {
      if (topic !== "nothing") expect(await records(topic)).toBe(before);
      return;
    }
    const { count, firstOffset, lastOffset } = answer.body as {
      count: number;
      firstOffset: number;
      lastOffset: number;
    };
    expect(firstOffset).toBe(before.split("\n").length - 1);
    expect(lastOffset).toBe(firstOffset + count - 1);
  });

  it("Idempotency-Key: same key and body, the first answer again; another body, 422", async () => {
    const send = (key: string, n: number) =>
      ask("POST /v1/topics/event/records", { n }, { headers: { "Idempotency-Key": key } });
    const first = await send("k 1", 1);
    expect(first.status).toBe(200);
    expect((await send("k 1", 1)).body).toEqual(first.body);
    const other = await send("k 1", 2);
    expect([other.status, other.body]).toEqual([
      422,
      error("idempotency_conflict", "23505", { detail: expect.any(String), hint: expect.any(String) }),
    ]);
    expect((await send("k 2", 2)).body).not.toEqual(first.body);
  });

  it("takes 64 MiB at once, and more with atomic=false, telling how far it came", async () => {
    const line = `${JSON.stringify({ n: 1, word: "w".repeat(1 << 20) })}\n`;
    const large = line.repeat(65);
    expect(await ask("POST /v1/topics/large/records", large, { type: ndjson })).toMatchObject({
      status: 413,
      body: error("request_too_large", "54000"),
    });
    const stream = await ok("POST /v1/topics/large/records?atomic=false", line.repeat(65), { type: ndjson });
    expect(stream.body).toEqual({ ...appended(65), commits: expect.any(Number) });
    const broken = await ask(
      "POST /v1/topics/large/records?atomic=false",
      '{"n":1}\n{"n":2}\n{"n":"x"}\n{"n":4}\n',
      { type: ndjson },
    );
    expect(broken.status).toBe(400);
    expect(broken.body).toEqual({
      error: expect.objectContaining({ message: expect.stringMatching(/^line 3: n: /) }),
      committed: { ...appended(2), commits: expect.any(Number) },
    });
  });

  describe("Arrow", () => {
    const schema = schemaOf([
      { name: "word", type: text, nullable: true },
      { name: "n", type: int8, nullable: true },
    ]);
    const stream = (rows: object[], columns = schema): Uint8Array => {
      const builder = new BatchBuilder(columns);
      builder.appendRows(rows);
      return Buffer.concat([...writeArrow(columns, [builder.finish()])]);
    };

    it("gives columns by name, in any order, and is one commit with offsets like any other", async () => {
      const before = (await records("event")).split("\n").length - 1;
      const rows = [
        { word: "ü", n: 1 },
        { word: null, n: 2n ** 60n },
        { word: "z", n: null },
      ];
      const answer = await ok("POST /v1/topics/event/records", stream(rows), { type: arrow });
      expect(answer.body).toEqual({ position, count: 3, firstOffset: before, lastOffset: before + 2 });
      const { text: stored } = await ok(`GET /v1/topics/event/records?from=${before}`);
      expect(stored.split("\n").map((l) => /"value":(.*)}$/.exec(l)?.[1])).toEqual([
        '{"n":1,"word":"ü"}',
        '{"n":1152921504606846976,"word":null}',
        '{"n":null,"word":"z"}',
        undefined,
      ]);
    });

    it("is known by its Idempotency-Key", async () => {
      const send = (n: number) =>
        ask("POST /v1/topics/event/records", stream([{ n, word: "k" }]), {
          type: arrow,
          headers: { "Idempotency-Key": "a" },
        });
      const first = await send(1);
      expect(first.status).toBe(200);
      expect((await send(1)).body).toEqual(first.body);
      expect((await send(2)).status).toBe(422);
    });

    const column = (name: string, type: typeof int4 | typeof text) =>
      schemaOf([{ name, type, nullable: true }]);
    const itemColumns = schemaOf([
      { name: "id", type: int4, nullable: false },
      { name: "name", type: text, nullable: true },
    ]);
    it.each<[string, string, Uint8Array, unknown]>([
      [
        "a null where none may be",
        "item",
        stream(
          [
            { id: 60, name: "x" },
            { id: 61, name: null },
          ],
          itemColumns,
        ),
        error("not_null_violation", "23502"),
      ],
      [
        "a column that is missing and may not be null",
        "item",
        stream([{ id: 60 }], column("id", int4)),
        error("not_null_violation", "23502"),
      ],
      [
        "a column the topic does not have",
        "loose",
        stream([{ m: 1 }], column("m", int4)),
        error("undefined_column", "42703", { hint: "The columns are n." }),
      ],
      ["another type", "loose", stream([{ n: "x" }], column("n", text)), error("datatype_mismatch", "42804")],
      [
        "what the app's own schema refuses",
        "plays",
        stream([{ song_id: 1 }], column("song_id", int4)),
        error("invalid_value", "22000", { message: expect.stringMatching(/^records\[0\]\.duration: /) }),
      ],
      ["no record", "event", stream([]), error("invalid_request", "22023")],
    ])("refuses %s, and stores nothing", async (_, topic, body, expected) => {
      const before = await records(topic);
      const answer = await ask(`POST /v1/topics/${topic}/records`, body, { type: arrow });
      expect([answer.status, answer.body]).toEqual([400, expected]);
      expect(await records(topic)).toBe(before);
    });

    it("reaches the views, of a table with and without a key, and of the app", async () => {
      await ok("POST /v1/topics/item/records", stream([{ id: 70, name: "siebzig" }], itemColumns), {
        type: arrow,
      });
      await ok("POST /v1/topics/loose/records", stream([{ n: 5 }], column("n", int4)), { type: arrow });
      expect((await ok("GET /v1/views/items/rows/70")).body).toMatchObject({ row: { name: "siebzig" } });
      await ok("DELETE /v1/topics/item/records/70");
    });

    it("is refused with atomic=false, by name", async () => {
      const answer = await ask("POST /v1/topics/event/records?atomic=false", stream([{ n: 1 }]), {
        type: arrow,
      });
      expect([answer.status, answer.body]).toEqual([
        400,
        error("feature_not_supported", "0A000", { hint: expect.any(String) }),
      ]);
    });
  });
}
