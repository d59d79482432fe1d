/**
 * `iterate`: rows, and what a step makes of rows found before, again and again until it makes none. What WITH RECURSIVE refuses is refused here,
 * too, and in its sense: a step sees the rows of one iteration at a time, so it cannot gather them, and must not depend on one being absent.
 */
import { EvertError } from "../base/errors.ts";
import { sameType, typeToString } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Plan } from "../plan/plan.ts";
import type { ChainNode } from "./chain.ts";
import { castTo, columnNamed } from "./columns-of.ts";

/** `step` with the base's columns, in their order and of their types. */
export function iteratePlan(id: number, base: Plan, step: Plan, all: boolean): Plan {
  const { fields } = base.schema;
  if (step.schema.fields.length !== fields.length) {
    throw new EvertError("datatype_mismatch", "the step of an iterate makes rows with other columns", {
      detail: `It begins with ${names(base)} and makes ${names(step)}.`,
      hint: "Use select or map to give them the same columns.",
    });
  }
  const exprs = fields.map(({ name, type }) => {
    const made = build.column(step, columnNamed(step, name));
    const expr = castTo(made, type);
    if (expr !== undefined) return expr;
    throw new EvertError("datatype_mismatch", `the step of an iterate gives column "${name}" another type`, {
      detail: `It is ${typeToString(type)} at the beginning, then ${typeToString(made.type)}.`,
      hint: "Say its type where it is made: map(fn, { name: type }).",
    });
  });
  const asIs = exprs.every(
    (e, i) => e.kind === "column" && e.index === i && sameType(e.type, fields[i]!.type),
  );
  const alike = asIs
    ? step
    : build.project(
        step,
        exprs,
        fields.map((f) => f.name),
      );
  return build.recursive({ id, base, step: alike, all });
}

function names(plan: Plan): string {
  return plan.schema.fields.map((f) => f.name).join(", ");
}

/** @throws EvertError where the step reads what was found never, more than once, or where it must not. */
export function checkStep(step: ChainNode, found: ChainNode): void {
  let count = 0;
  const refuse = (why: string): EvertError =>
    new EvertError("invalid_table_definition", `the step of an iterate ${why}`, {
      hint: "Read what was found once, by filter, map, flatMap and inner joins.",
    });
  /** Whether the node reads what was found. */
  const visit = (node: ChainNode): boolean => {
    if (node === found) {
      if (++count > 1) throw refuse("reads what was found more than once");
      return true;
    }
    switch (node.kind) {
      case "source":
      case "found":
        return false;
      case "join": {
        const left = visit(node.left);
        const right = visit(node.right);
        const nullable =
          (left && node.type !== "inner" && node.type !== "left") ||
          (right && node.type !== "inner" && node.type !== "right");
        if (nullable) throw refuse("reads what was found on the side of an outer join that may be null");
        return left || right;
      }
      case "union":
        return node.inputs.map(visit).includes(true);
      case "iterate":
        return [visit(node.base), visit(node.step)].includes(true);
      case "group":
        if (visit(node.input))
          throw refuse("gathers what was found: it sees the rows of one iteration at a time");
        return false;
      default:
        return visit(node.input);
    }
  };
  if (!visit(step)) throw refuse("does not read what was found");
}
