/** Parameters that came with a request, against those that it names. */
import type { ParamRef } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import type { ParsedStatement } from "./parser.ts";
import { partsOf } from "./tree.ts";

/** Of statements that are kept, the highest $n: their whole tree is walked for it. */
const known = new WeakMap<ParsedStatement, number>();

/**
 * PostgreSQL refuses them alike: who sends more values than the text names has forgotten one there, or sent them in another's place.
 * @throws EvertError protocol_violation
 */
export function refuseSurplusParams(statements: readonly ParsedStatement[], given: number): void {
  if (given === 0) return;
  let named = 0;
  for (const statement of statements) named = Math.max(named, namedBy(statement));
  if (given <= named) return;
  throw new EvertError("protocol_violation", `${given} parameters came with SQL that names ${named}`, {
    hint: "The statements of a request share its parameters: $1 is the first one in each of them.",
  });
}

function namedBy(statement: ParsedStatement): number {
  let named = known.get(statement);
  if (named !== undefined) return named;
  named = 0;
  for (const [kind, fields] of partsOf([statement.node]))
    if (kind === "ParamRef") named = Math.max(named, (fields as ParamRef).number ?? 0);
  if (statement.isKept) known.set(statement, named);
  return named;
}
