/** bool_and, bool_or: how many of the values that are not null are true. */
import { bool, float8 } from "../../batch/types.ts";
import { type Accumulator, cell, countCell, unlessEmpty } from "./accumulator.ts";

export function truth(fn: "bool_and" | "bool_or"): Accumulator {
  return {
    type: bool,
    columns: [{ type: float8, nullable: false }],
    add: (place) => `if (c${place.arg}[r] === 1) ${cell(place, 0)} += w;`,
    result(place) {
      const holds = fn === "bool_and" ? `=== ${countCell(place)}` : "> 0";
      return unlessEmpty(place, `value = ${cell(place, 0)} ${holds} ? 1 : 0;`);
    },
  };
}
