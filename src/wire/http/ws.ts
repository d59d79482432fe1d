/**
 * The messages of /v1/ws as text (messages.ts says what they mean). No socket.
 *
 *   client = subscribe | unsubscribe         each checked member by member: what is not known is refused, not ignored
 *   server = snapshot | step | reset | error | subscribed | unsubscribed | heartbeat         "type" is the first member
 */
import { type ErrorBody, EvertError } from "../../base/errors.ts";
import { JsonNumber, parseJson } from "../../batch/lossless-json.ts";
import { prefixPath } from "../../batch/value-error.ts";
import { joinShort, type Part, snapshotMembers, stepMembers } from "./event-json.ts";
import { wsMessageCharsMax } from "./event-messages.ts";
import { checkPosition, invalid, isTimeoutMs, objectOf, timeoutMsMax } from "./requests.ts";

export type RequestId = string | number | null;

interface TargetCall {
  readonly view: string;
  /** As it would stand in a path; undefined: every row. */
  readonly key: string | undefined;
  readonly from: string | undefined;
}

interface WsCall {
  readonly type: "subscribe" | "unsubscribe";
  readonly request: RequestId;
  readonly targets: readonly TargetCall[];
  readonly atLeast: string | undefined;
  readonly timeoutMs: number | undefined;
}

/** Says which message it was, when it says so much. */
export class WsRefusal extends Error {
  readonly request: RequestId;
  readonly error: EvertError;

  constructor(error: EvertError, request: RequestId) {
    super(error.message);
    this.request = request;
    this.error = error;
  }
}

/** @throws WsRefusal */
export function parseWsMessage(text: string): WsCall {
  let request: RequestId = null;
  try {
    if (text.length > wsMessageCharsMax)
      throw new EvertError("request_too_large", `a message has at most ${wsMessageCharsMax} characters`, {
        detail: `It has ${text.length}.`,
      });
    const value = parseJson(text);
    const given = (value as { request?: unknown } | null)?.request;
    if (typeof given === "string" || typeof given === "number") request = given;
    const members = ["type", "request", "targets", "view", "key", "from", "atLeast", "timeoutMs"];
    const message = objectOf(value, members, "the message");
    const { type, targets, atLeast, timeoutMs } = message;
    if (given !== undefined && request === null) throw invalid("request must be a string or a number");
    if (typeof request === "string" && request.length > 255)
      throw invalid("request must have at most 255 characters");
    if (type !== "subscribe" && type !== "unsubscribe") {
      throw new EvertError("invalid_request", 'type must be "subscribe" or "unsubscribe"', {
        hint: 'For example {"type": "subscribe", "targets": [{"view": "charts"}]}.',
      });
    }
    if (atLeast !== undefined && typeof atLeast !== "string") throw invalid("atLeast must be a string");
    if (atLeast !== undefined) checkPosition(atLeast, "atLeast");
    if (timeoutMs !== undefined && !isTimeoutMs(timeoutMs))
      throw invalid(`timeoutMs must be a whole number from 0 to ${timeoutMsMax}`);
    return { type, request, targets: targetsOf(message, targets), atLeast, timeoutMs };
  } catch (thrown) {
    if (thrown instanceof EvertError) throw new WsRefusal(thrown, request);
    throw thrown;
  }
}

/** What is said in place of a message that is none of ours. */
export function notText(): WsRefusal {
  const error = new EvertError("invalid_request", "a message must be text", {
    detail: "It came as bytes.",
    hint: `Send JSON as text, at most ${wsMessageCharsMax} characters.`,
  });
  return new WsRefusal(error, null);
}

function targetsOf(message: Record<string, unknown>, targets: unknown): TargetCall[] {
  if (targets === undefined) {
    const { view, key, from } = message;
    return [
      targetOf({
        view,
        ...(key === undefined ? {} : { key }),
        ...(from === undefined ? {} : { from }),
      }),
    ];
  }
  for (const name of ["view", "key", "from"]) {
    if (message[name] !== undefined) throw invalid(`${name} stands in the targets, where there are targets`);
  }
  if (!Array.isArray(targets) || targets.length === 0)
    throw invalid("targets must be an array of at least one");
  return targets.map((target: unknown, i) => {
    try {
      return targetOf(target);
    } catch (error) {
      throw prefixPath(error, `targets[${i}]`);
    }
  });
}

function targetOf(value: unknown): TargetCall {
  const { view, key, from } = objectOf(value, ["view", "key", "from"], "a target");
  if (typeof view !== "string") throw invalid("view must be a string");
  if (from !== undefined && typeof from !== "string") throw invalid("from must be a string");
  if (from !== undefined) checkPosition(from, "from");
  return { view, key: key === undefined ? undefined : keyText(key), from };
}

/** A key as it stands in a path: an array as JSON, anything else as its text. */
function keyText(key: unknown): string {
  if (Array.isArray(key)) return `[${key.map(jsonText).join(",")}]`;
  if (typeof key === "string") return key;
  if (typeof key === "number" || typeof key === "boolean" || typeof key === "bigint") return String(key);
  if (key instanceof JsonNumber) return key.text;
  throw invalid("key must be a string, a number, true or false, or an array of a composite key's values");
}

function jsonText(value: unknown): string {
  if (value instanceof JsonNumber) return value.text;
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

/** A text, or a long one in parts: each a fragment. */
export type WsText = readonly Part[];

type Snapshot = Parameters<typeof snapshotMembers>[0] & { readonly view: string };

export function wsSnapshot(snapshot: Snapshot, id: string | undefined): WsText {
  return [
    `{"type":"snapshot",${idMember(id)}"view":${JSON.stringify(snapshot.view)},${snapshotMembers(snapshot)}}`,
  ];
}

export function wsStep(
  position: string,
  views: ReadonlyMap<string, readonly Uint8Array[]>,
  id: string | undefined,
): WsText {
  return joinShort([`{"type":"step",${idMember(id)}`, ...stepMembers(position, views), "}"]);
}

export function wsReset(view: string, reason: string): WsText {
  return [JSON.stringify({ type: "reset", view, reason })];
}

export function wsError(
  error: ErrorBody,
  about: {
    readonly view?: string | undefined;
    readonly request?: RequestId | undefined;
    readonly final?: boolean;
    readonly ended?: true | undefined;
  } = {},
): WsText {
  const { view, request, final = false, ended } = about;
  return [JSON.stringify({ type: "error", view, request, error, final, ended })];
}

export function wsDone(
  type: "subscribed" | "unsubscribed",
  request: RequestId,
  position: string,
  id: string | undefined,
): WsText {
  return [`{"type":"${type}",${idMember(id)}"request":${JSON.stringify(request)},"position":"${position}"}`];
}

export const wsHeartbeat: WsText = ['{"type":"heartbeat"}'];

function idMember(id: string | undefined): string {
  return id === undefined ? "" : `"id":"${id}",`;
}
