import { EvertError } from "../../base/errors.ts";

/** How many bytes of request bodies are held, all requests together. */
export class BodyBudget {
  readonly bytesMax: number;
  #held = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** @throws EvertError too_many_requests. */
  hold(bytes: number): void {
    if (this.#held + bytes > this.bytesMax) {
      throw new EvertError("too_many_requests", "the server holds as many request bodies as it can", {
        hint: "Send the request again in a moment, or send large bodies with ?atomic=false.",
      });
    }
    this.#held += bytes;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }
}
