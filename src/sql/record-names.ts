/** Rows of equal types whose fields are called otherwise: a value of the one as one of the other. */
import { int4, type SqlType } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { branch, typeOf } from "../plan/inspect.ts";

/** REQUIRES rows of the same types of fields. */
export function withNamesOf(row: Expr, to: SqlType): Expr {
  if (row.kind === "const") return { ...row, type: to };
  const args =
    row.kind === "call" && row.fn === "record_make"
      ? row.args
      : typeOf(row).fields!.map(({ type }, i): Expr => {
          const index: Expr = { kind: "const", value: i, type: int4 };
          return { kind: "call", fn: "record_field", args: [row, index], type };
        });
  const made: Expr = { kind: "call", fn: "record_make", args, type: to };
  if (row.kind === "call" && row.fn === "record_make") return made;
  const none: Expr = { kind: "const", value: null, type: to };
  return { kind: "case", branches: [branch({ kind: "isNull", arg: row }, none)], otherwise: made, type: to };
}
