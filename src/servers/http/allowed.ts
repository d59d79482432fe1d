/** Which methods a path takes: said to those who use another one, and to OPTIONS. */
import { EvertError } from "../../base/errors.ts";
import { errorAnswer } from "./answer.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";

const noContent = 204;

/**
 * The answer to a request for which there is no route, of a path that has some; null: there is no such path. Its status is the one of what is not there, as everywhere: the interface has a closed list of
 * them, without 405.
 */
export function otherMethods(app: App, c: RequestContext, server: ServerContext): Response | null {
  const { method, path } = c.req;
  const methods = new Set<string>(["OPTIONS"]);
  for (const route of app.routes) {
    if (route.method === "ALL" || !isOf(route.path, path)) continue;
    methods.add(route.method);
    if (route.method === "GET") methods.add("HEAD");
  }
  if (methods.size === 1) return null;
  const allow = [...methods].sort().join(", ");
  // A page of another origin reads no more here than that there is a path.
  if (method === "OPTIONS") return new Response(null, { status: noContent, headers: { Allow: allow } });
  const error = new EvertError("not_found", `there is no ${method} ${path}`, {
    hint: `The path takes ${allow}.`,
  });
  const answer = errorAnswer(error, server.engine.position);
  answer.headers.set("Allow", allow);
  return answer;
}

/** `pattern`: a route's, in which a segment with a colon stands for any. */
function isOf(pattern: string, path: string): boolean {
  const named = pattern.split("/");
  const asked = path.split("/");
  if (named.length !== asked.length || pattern.includes("*")) return false;
  return named.every((segment, i) => (segment.startsWith(":") ? asked[i] !== "" : segment === asked[i]));
}
