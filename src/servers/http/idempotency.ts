import { headers } from "../../wire/http/messages.ts";
import { checkIdempotencyKey } from "../../wire/http/requests.ts";
import type { Asked } from "./context.ts";

/** The request's Idempotency-Key, checked. @throws EvertError invalid_request. */
export function idempotencyKey(c: Asked): string | undefined {
  const key = c.req.header(headers.idempotencyKey);
  if (key !== undefined) checkIdempotencyKey(key, headers.idempotencyKey);
  return key;
}
