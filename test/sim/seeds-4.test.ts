/** The simulation (simulation/simulate.ts), fourth five hundred of its seeds. `npm run sim` runs any others. */
import { judged } from "./simulation/judged.ts";

judged(1501, 2000);
