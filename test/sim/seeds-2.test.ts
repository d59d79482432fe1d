/** The simulation (simulation/simulate.ts), second five hundred of its seeds. `npm run sim` runs any others. */
import { judged } from "./simulation/judged.ts";

judged(501, 1000);
