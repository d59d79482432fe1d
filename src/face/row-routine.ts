/**
 * A chain's function of rows as a routine over the columns it reads: where a plan has room for functions of values alone, as in a window's
 * frame or in the step of a recursion.
 */
import { assert } from "../base/assert.ts";
import type { Field } from "../batch/schema.ts";
import * as build from "../plan/build.ts";
import type { Expr, UserFunction } from "../plan/expression.ts";
import type { Aggregate, Plan } from "../plan/plan.ts";
import type { ReducerRoutine, RoutineCall, RowsRoutine } from "../plan/routines.ts";

interface Columns {
  readonly exprs: readonly Expr[];
  readonly args: ReducerRoutine["args"];
  /** The function, called with values of these columns; `before`: what it takes ahead of its rows. */
  over(fn: UserFunction, before: number): RoutineCall;
}

/** The columns these functions read. A routine is called with a null, too: it is the function that gets the row. */
function columnsOf(input: Plan, functions: readonly UserFunction[]): Columns {
  const read = functions.flatMap((fn) =>
    fn.rows.flatMap((row) => [
      ...row.fields.map((f) => f.column),
      ...(row.presentColumn === null ? [] : [row.presentColumn]),
    ]),
  );
  const columns = [...new Set(read)];
  return {
    exprs: columns.map((c) => build.column(input, c)),
    args: columns.map((c) => ({ type: input.schema.fields[c]!.type, nullable: true })),
    over(fn, before) {
      const rows = fn.rows.map(({ fields, presentColumn }) => ({
        present: presentColumn === null ? -1 : columns.indexOf(presentColumn),
        fields: fields.map((f): [string, number] => [f.name, columns.indexOf(f.column)]),
      }));
      return (...given) => {
        const values = given.slice(before);
        const made = rows.map(({ present, fields }) =>
          present >= 0 && values[present] === null
            ? null
            : Object.freeze(Object.fromEntries(fields.map(([name, at]) => [name, values[at]]))),
        );
        return fn.call(...given.slice(0, before), ...made);
      };
    },
  };
}

/** The reducer of a chain as one that a frame can be added up by. */
export function overArguments(input: Plan, aggregate: Aggregate): Aggregate {
  const { reducer, type } = aggregate;
  assert(reducer !== null && reducer.routine === null, "a reducer of a chain");
  const { initial, source } = reducer;
  const columns = columnsOf(input, [reducer.add, reducer.remove]);
  const add = columns.over(reducer.add, 1);
  const remove = columns.over(reducer.remove, 1);
  const routine: ReducerRoutine = {
    kind: "reducer",
    name: "",
    args: columns.args,
    source,
    bounded: reducer.add.bounded === true && reducer.remove.bounded === true,
    initial,
    add,
    remove,
    result: null,
    returns: { type, nullable: true },
  };
  return {
    ...aggregate,
    arg: build.constant(true, { name: "bool" }),
    rest: columns.exprs,
    reducer: {
      initial,
      source,
      add: { call: add, source, rows: [] },
      remove: { call: remove, source, rows: [] },
      routine,
    },
  };
}

/** map and flatMap beside the rows they are called with: the result's columns come behind the input's. */
export function besideRows(input: Plan, fn: UserFunction, flat: boolean, fields: readonly Field[]): Plan {
  const columns = columnsOf(input, [fn]);
  const call = columns.over(fn, 0);
  const routine: RowsRoutine = {
    kind: "rows",
    name: "",
    args: columns.args,
    source: `${flat ? "flatMap" : "map"} ${fn.source}`,
    bounded: fn.bounded === true,
    call: flat ? call : (...given) => [call(...given)],
    columns: fields,
    isValue: false,
  };
  return build.tableFunction(input, {
    fn: routine,
    args: columns.exprs,
    columns: fields,
    ordinality: null,
    outer: false,
  });
}
