/** Handles that a program gives: TypeScript has told of wrong ones before, programs in JavaScript are told here. */
import { EvertError } from "../../base/errors.ts";

/** @throws EvertError invalid_request: `what` should be what topic() or table() gives, and is not */
export function topicName(given: unknown, what = "the topic"): string {
  const name = typeof given === "object" && given !== null && "name" in given ? given.name : undefined;
  if (typeof name === "string") return name;
  throw new EvertError("invalid_request", `${what} must be what topic() or table() gives`, {
    hint: 'As in const plays = topic("plays", { schema }); of a topic that only SQL has made, declare the same.',
  });
}

/** One record, or a list of them. @throws EvertError invalid_request for none: it would be an empty commit, and no other door makes one */
export function recordsOf(given: unknown): readonly unknown[] {
  if (!Array.isArray(given)) return [given];
  if (given.length > 0) return given;
  throw new EvertError("invalid_request", "there is no record to append");
}

/** @throws EvertError invalid_request */
export function viewName(given: unknown): string {
  const name = typeof given === "object" && given !== null && "name" in given ? given.name : given;
  if (typeof name === "string") return name;
  throw new EvertError("invalid_request", "the view must be what view() gives, or its name");
}

/** @throws EvertError invalid_request */
export function sourceName(given: unknown): string {
  const name = typeof given === "object" && given !== null && "name" in given ? given.name : undefined;
  if (typeof name === "string") return name;
  throw new EvertError("invalid_request", "the table or view must be what table() or view() gives");
}
