/** The simulation (simulation/simulate.ts), third five hundred of its seeds. `npm run sim` runs any others. */
import { judged } from "./simulation/judged.ts";

judged(1001, 1500);
