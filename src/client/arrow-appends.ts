/** Appends in columns: Arrow bodies, made for the columns of a topic, which are asked once. */
import { type ErrorCode, EvertError } from "../base/errors.ts";
import type { TopicsAnswer } from "../wire/http/messages.ts";
import type { BodyMaker } from "./columns.ts";
import type { Requests } from "./requests.ts";
import type { AppendResult } from "./types.ts";

/** What is told of an append whose columns are no longer the topic's. */
const changedSchema: ReadonlySet<ErrorCode> = new Set([
  "undefined_column",
  "datatype_mismatch",
  "not_null_violation",
]);

export class ArrowAppends {
  readonly #requests: Requests;
  /** By topic, what makes its bodies. */
  readonly #bodyMakers = new Map<string, Promise<BodyMaker>>();

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  /** `post`: of a body that `encode` has made; null: there is no such body. */
  async append(
    topic: string,
    encode: (maker: BodyMaker) => Uint8Array<ArrayBuffer> | null,
    post: (body: Uint8Array<ArrayBuffer>) => Promise<AppendResult>,
  ): Promise<AppendResult | null> {
    for (let again = this.#bodyMakers.has(topic); ; again = false) {
      try {
        const maker = await this.#bodyMaker(topic);
        const body = encode(maker);
        if (body === null) return null;
        try {
          return await post(body);
        } finally {
          // A request has a copy of its body, which it sends.
          if (this.#requests.copiesBodies) maker.giveBack(body);
        }
      } catch (error) {
        // The topic may have other columns than when it was asked. Nothing was stored; they are asked for again, once.
        if (!(error instanceof EvertError && changedSchema.has(error.code))) throw error;
        this.#bodyMakers.delete(topic);
        if (!again) throw error;
      }
    }
  }

  /** For the columns of a topic, which are asked once. */
  #bodyMaker(name: string): Promise<BodyMaker> {
    let maker = this.#bodyMakers.get(name);
    if (maker === undefined) {
      maker = this.#askColumns(name);
      this.#bodyMakers.set(name, maker);
      // A failure is for whoever waits; the next call asks again.
      maker.catch(() => this.#bodyMakers.delete(name));
    }
    return maker;
  }

  async #askColumns(name: string): Promise<BodyMaker> {
    const columnar = await import("./columns.ts");
    const { topics } = await this.#requests.json<TopicsAnswer>("/v1/topics", {}, false);
    const topic = topics.find((candidate) => candidate.name === name);
    if (topic === undefined) throw new EvertError("undefined_table", `topic "${name}" does not exist`);
    const withDefault = topic.columns.filter((column) => column.hasDefault === true);
    return new columnar.BodyMaker(
      columnar.schemaOfTopic(topic),
      withDefault.map((column) => column.name),
    );
  }
}
