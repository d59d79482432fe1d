/** POST /v1/transactions: several operations on several topics, all or nothing. */
import { EvertError } from "../../base/errors.ts";
import { headers, type PositionAnswer } from "../../wire/http/messages.ts";
import { parseTransactionRequest } from "../../wire/http/requests.ts";
import { jsonAnswer } from "./answer.ts";
import { BodyReader, bodyFormat, bodyText } from "./body.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { idempotencyKey } from "./idempotency.ts";
import { queryMap } from "./params.ts";

export function transactionRoutes(app: App, server: ServerContext): void {
  app.post("/v1/transactions", (c) => transact(c, server));
}

async function transact(c: RequestContext, server: ServerContext): Promise<Response> {
  queryMap(c, []);
  bodyFormat(c, ["json"]);
  const body = new BodyReader(c, server, server.bodyBytesMax, "transaction");
  try {
    const call = parseTransactionRequest(await bodyText(body));
    const key = oneKey(idempotencyKey(c), call.idempotencyKey);
    const named = key === undefined ? {} : { idempotencyKey: key, requestDigest: body.digest() };
    const { position } = await server.engine.transact(call.operations, {
      ...named,
      expect: call.expect,
      consume: call.consume,
    });
    return jsonAnswer({ position } satisfies PositionAnswer, position);
  } finally {
    await body.done();
  }
}

function oneKey(header: string | undefined, member: string | undefined): string | undefined {
  if (header !== undefined && member !== undefined && header !== member) {
    throw new EvertError("invalid_request", `idempotencyKey and the header ${headers.idempotencyKey} differ`);
  }
  return member ?? header;
}
