/** One commit of a random history, done to the engine. */
import { toEvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import type { Commit } from "./history.ts";

export interface Outcome {
  /** SQLSTATE. */
  readonly refused: string | null;
  /** Rows, where the answer says how many. */
  readonly affected: number | null;
}

/** @throws what is a fault of ours. */
export async function commitTo(engine: Database, commit: Commit): Promise<Outcome> {
  try {
    switch (commit.via) {
      case "sql":
      case "statements": {
        const { results, error } = await engine.sql(commit.sql);
        if (error?.code === "internal") throw new Error(error.message);
        if (error !== undefined) return { refused: error.sqlstate, affected: 0 };
        const counts = results.map((r) => Number(/\d+$/.exec(r.command)?.[0] ?? 0));
        return { refused: null, affected: counts.reduce((sum, n) => sum + n) };
      }
      case "append":
        await engine.append(commit.topic, commit.rows);
        break;
      case "delete":
        await engine.deleteKey(commit.topic, commit.key);
        break;
      case "transact":
        await engine.transact(commit.operations);
    }
    return { refused: null, affected: null };
  } catch (thrown) {
    const error = toEvertError(thrown);
    if (error.code === "internal") throw thrown;
    return { refused: error.sqlstate, affected: 0 };
  }
}
