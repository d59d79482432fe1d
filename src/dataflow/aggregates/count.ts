import { int8 } from "../../batch/types.ts";
import { type Accumulator, countCell } from "./accumulator.ts";

/** count(*), count(x): the counter every aggregate over the same argument shares. */
export const count: Accumulator = {
  type: int8,
  columns: [],
  add: () => "",
  result: (place) => `value = ${countCell(place)}; isNull = 0;`,
};
