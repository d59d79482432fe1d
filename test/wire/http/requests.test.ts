import { describe, expect, test } from "vitest";
import {
  parseOpenConsumerRequest,
  parseProducerRequest,
  parseProgressRequest,
  parseSqlRequest,
  parseTransactionRequest,
} from "../../../src/wire/http/requests.ts";

describe("a request of SQL", () => {
  test("with everything", () => {
    const text = '{"sql":"SELECT $1","params":[1,"a",null],"atLeast":"7","timeoutMs":5,"format":"text"}';
    expect(parseSqlRequest(text)).toEqual({
      sql: "SELECT $1",
      params: [1, "a", null],
      atLeast: "7",
      timeoutMs: 5,
      format: "text",
    });
  });

  test("parameters keep their digits", () => {
    const { params } = parseSqlRequest('{"sql":"","params":[9223372036854775807,0.12345678901234567890]}');
    expect(params).toEqual([9223372036854775807n, "0.12345678901234567890"]);
  });

  test.each([
    "1",
    "[]",
    "null",
    "{}",
    '{"sql":1}',
    '{"sql":"","params":{}}',
    '{"sql":"","atLeast":7}',
    '{"sql":"","atLeast":"x"}',
    '{"sql":"","timeoutMs":-1}',
    '{"sql":"","timeoutMs":1e9}',
    '{"sql":"","format":"xml"}',
    '{"sql":"","query":""}',
  ])("%s is refused", (text) => {
    expect(() => parseSqlRequest(text)).toThrow(expect.objectContaining({ code: "invalid_request" }));
  });

  test("what is no JSON is refused", () => {
    expect(() => parseSqlRequest("{")).toThrow(
      expect.objectContaining({ code: "invalid_text_representation" }),
    );
  });
});

describe("a transaction", () => {
  test("one value stands for a list of one; keys of several columns stay arrays", () => {
    const text =
      '{"operations":[{"topic":"a","append":{"x":1}},{"topic":"b","upsert":[{"y":1},{"y":2}]},' +
      '{"topic":"c","delete":5},{"topic":"d","delete":[[1,"x"]]}],"idempotencyKey":"k"}';
    expect(parseTransactionRequest(text)).toEqual({
      operations: [
        { topic: "a", append: [{ x: 1 }] },
        { topic: "b", upsert: [{ y: 1 }, { y: 2 }] },
        { topic: "c", delete: [5] },
        { topic: "d", delete: [[1, "x"]] },
      ],
      expect: [],
      consume: [],
      idempotencyKey: "k",
    });
  });

  test("what it expects is a list, or one", () => {
    const expecting = (expected: string) =>
      parseTransactionRequest(`{"operations":[{"topic":"a","append":1}],"expect":${expected}}`).expect;
    expect(expecting('{"position":"7"}')).toEqual([{ position: "7" }]);
    expect(expecting('[{"topic":"a","position":"7"},{"topic":"a","key":[1,"x"],"version":null}]')).toEqual([
      { topic: "a", position: "7" },
      { topic: "a", key: [1, "x"], version: null },
    ]);
    expect(expecting('{"topic":"a","key":1,"version":"3"}')).toEqual([{ topic: "a", key: 1, version: "3" }]);
    expect(() => expecting("{}")).toThrow(/^expect\[0\]: /);
  });

  test.each([
    ["{}", /operations/],
    ['{"operations":[]}', /operations/],
    ['{"operations":[1]}', /^operations\[0\]: /],
    ['{"operations":[{"topic":"a","append":1},{"append":1}]}', /^operations\[1\]: topic/],
    ['{"operations":[{"topic":"a"}]}', /exactly one/],
    ['{"operations":[{"topic":"a","append":1,"delete":1}]}', /exactly one/],
    ['{"operations":[{"topic":"a","append":1,"x":1}]}', /"x"/],
    ['{"operations":[{"topic":"a","append":1}],"idempotencyKey":""}', /idempotencyKey/],
  ])("%s is refused", (text, message) => {
    expect(() => parseTransactionRequest(text)).toThrow(message);
  });
});

describe("a consumer", () => {
  test("is opened for topics, from where it is said", () => {
    expect(parseOpenConsumerRequest('{"name": "c", "topics": ["a"], "from": 7}')).toEqual({
      name: "c",
      topics: ["a"],
      from: "7",
      reset: false,
    });
    expect(parseOpenConsumerRequest('{"name": "c", "topics": "a", "reset": true}')).toMatchObject({
      topics: ["a"],
      from: undefined,
      reset: true,
    });
  });

  test("has come to an offset on each topic", () => {
    expect(parseProgressRequest('{"epoch": 2, "progress": {"a": 0, "b": 9}}')).toEqual({
      epoch: 2,
      progress: { a: 0, b: 9 },
    });
  });
});

test("a producer is registered by its id alone", () => {
  expect(parseProducerRequest('{"id": "p"}')).toEqual({ id: "p" });
  expect(() => parseProducerRequest('{"id": "p", "epoch": 1}')).toThrow(/no member "epoch"/);
});
