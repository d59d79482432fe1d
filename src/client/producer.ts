/** A producer's appends over HTTP: the sequencer (base/sequencer.ts) over requests that carry the headers of the Durable Streams protocol. */
import { EvertError } from "../base/errors.ts";
import { Sequencer } from "../base/sequencer.ts";
import { type AppendAnswer, contentTypes, headers, type RegisteredAnswer } from "../wire/http/messages.ts";
import { backoffMs, pause } from "./backoff.ts";
import { encodeJson, parseJson } from "./json.ts";
import { positionOf, type Transport } from "./transport.ts";
import type { AppendResult, Named, Producer } from "./types.ts";

export interface ProducerContext {
  readonly transport: Transport;
  /** How long a request is sent again. */
  readonly retryMsMax: number;
  /** Posts a body until it is stored, under a key of its own. */
  readonly store: (path: string, body: string) => Promise<RegisteredAnswer>;
  readonly saw: (position: string) => void;
}

export function createProducer(id: string, context: ProducerContext): Producer {
  const { transport, saw } = context;
  const never = new AbortController().signal;
  const sequencer = new Sequencer<string, AppendResult>({
    async register() {
      return (await context.store("/v1/producers", encodeJson({ id }))).epoch;
    },
    async send(topic, body, { epoch, seq }) {
      const response = await transport.send(`/v1/topics/${encodeURIComponent(topic)}/records`, {
        method: "POST",
        body,
        headers: {
          "content-type": contentTypes.json,
          [headers.producerId]: id,
          [headers.producerEpoch]: String(epoch),
          [headers.producerSeq]: String(seq),
        },
      });
      const text = await transport.text(response);
      // Without content: stored, and so long ago that the server does not know where.
      const answer = text === "" ? null : (parseJson(text, false) as AppendAnswer);
      const position = answer?.position ?? positionOf(response) ?? "0";
      saw(position);
      const { count = 0, firstOffset = 0, lastOffset = -1 } = answer ?? {};
      return { position, count, firstOffset, lastOffset };
    },
    async again(attempt, sinceMs) {
      if (sinceMs >= context.retryMsMax) return false;
      await pause(backoffMs(attempt, 2_000), never);
      return true;
    },
  });
  return {
    id,
    get epoch() {
      return sequencer.epoch ?? undefined;
    },
    append: (topic: string | Named, rows: unknown) =>
      sequencer.append(typeof topic === "string" ? topic : topic.name, encodeJson(rows)),
    flush: () => sequencer.flush(),
    close: () =>
      sequencer.end(new EvertError("shutting_down", `producer ${JSON.stringify(id)} has been closed`)),
  };
}
