/** The answer to SQL, read as it arrives: results, their rows, and the error behind them. */
import type { ErrorBody } from "../base/errors.ts";
import { EvertError } from "../base/errors.ts";
import type { ColumnMessage } from "../wire/http/messages.ts";
import { JsonStream } from "./json-stream.ts";

export type SqlPart =
  /** A result begins. */
  | { readonly kind: "columns"; readonly columns: readonly ColumnMessage[] }
  /** Some of its rows, each the text of a JSON array. */
  | { readonly kind: "rows"; readonly texts: readonly string[] }
  | { readonly kind: "end"; readonly command: string; readonly rowCount: number }
  /** Of the statement behind the results, or of the request. */
  | { readonly kind: "error"; readonly error: ErrorBody }
  | { readonly kind: "position"; readonly position: string };

/** Rows told at once, at most. */
const ROWS = 1_024;

/** `brokenOff`: the error where it ends before its time. Returning it gives the answer up. @throws EvertError protocol_violation */
export async function* sqlParts(
  body: ReadableStream<Uint8Array>,
  brokenOff: (cause: unknown) => EvertError,
): AsyncGenerator<SqlPart, void, undefined> {
  const json = new JsonStream(body, brokenOff);
  try {
    await json.enter("{");
    for (let name = await json.member(); name !== null; name = await json.member()) {
      if (name === "results") {
        await json.enter("[");
        while (await json.element()) yield* resultParts(json);
      } else if (name === "error") yield { kind: "error", error: parsed(await json.value()) as ErrorBody };
      else if (name === "position") yield { kind: "position", position: String(parsed(await json.value())) };
      else await json.value();
    }
  } finally {
    await json.close();
  }
}

async function* resultParts(json: JsonStream): AsyncGenerator<SqlPart, void, undefined> {
  let command = "";
  let rowCount = 0;
  await json.enter("{");
  for (let name = await json.member(); name !== null; name = await json.member()) {
    if (name === "command") command = String(parsed(await json.value()));
    else if (name === "columns")
      yield { kind: "columns", columns: parsed(await json.value()) as ColumnMessage[] };
    else if (name === "rowCount") rowCount = Number(parsed(await json.value()));
    else if (name === "rows") yield* rowParts(json);
    else await json.value();
  }
  yield { kind: "end", command, rowCount };
}

async function* rowParts(json: JsonStream): AsyncGenerator<SqlPart, void, undefined> {
  await json.enter("[");
  while (await json.element()) {
    const texts = [await json.value()];
    for (let text = json.elementAtHand(); text !== null; text = json.elementAtHand()) {
      texts.push(text);
      if (texts.length === ROWS) break;
    }
    yield { kind: "rows", texts };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : undefined;
    throw new EvertError("protocol_violation", "the server sent JSON that cannot be read", { detail, cause });
  }
}
