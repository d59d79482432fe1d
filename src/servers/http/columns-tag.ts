/** What tells the columns of a view from others: who reads rows by columns that it asked for before sees whether they are still those. */
import { createHash } from "node:crypto";
import type { ViewInfo } from "../../engine/api.ts";
import { headers } from "../../wire/http/messages.ts";
import { columnMessages } from "../../wire/http/values.ts";

const TAG_CHARS = 16;

type Fields = ViewInfo["schema"]["fields"];

/** A view keeps its list for as long as it is that view. */
const tags = new WeakMap<Fields, string>();

export function columnsHeader(fields: Fields): Record<string, string> {
  let tag = tags.get(fields);
  if (tag === undefined) {
    const text = JSON.stringify(columnMessages({ fields }));
    tag = createHash("sha256").update(text).digest("base64url").slice(0, TAG_CHARS);
    tags.set(fields, tag);
  }
  return { [headers.columns]: tag };
}
