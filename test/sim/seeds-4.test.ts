/**
 * The simulation (simulation/simulate.ts), fourth five hundred of its seeds: in these each row of a commit is a step of its own, of which only the last is
 * shown. `npm run sim` runs any others.
 */
import { afterAll, beforeAll } from "vitest";
import { eachRowAPart } from "../engine/support/parts.ts";
import { judged } from "./simulation/judged.ts";
import { simulate } from "./simulation/simulate.ts";

let end: () => void;

beforeAll(() => {
  end = eachRowAPart();
});

afterAll(() => end());

judged(1501, 2000, simulate, "--parts ");
