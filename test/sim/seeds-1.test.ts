/** The simulation (simulation/simulate.ts), first five hundred of its seeds, and that all it is to try happens in them. `npm run sim` runs any others. */
import { judged } from "./simulation/judged.ts";
import { simulate } from "./simulation/simulate.ts";

/** What some three hundred seeds meet. */
const HAPPENS = [
  /power is cut in this moment/,
  /ends, by what befell it/,
  /not opened: io_error/,
  /fatal: the log could not be written/,
  /is refused: disk_full/,
  /is refused: conflict/,
  /is refused: unique_violation/,
  /EROFS/,
  /EMFILE/,
  /log_damaged/,
  /the checkpoint is not used/,
  /could not be sealed/,
  /reported: the wall clock was set forward/,
  /reported: the wall clock was set backward/,
  /CREATE MATERIALIZED VIEW .* is done/,
  /DROP MATERIALIZED VIEW .* is done/,
  /watch .* from \d+: step at/,
  /^\d+ checkpoint$/,
  /build turn@\d+ is done/,
  /promote turn@[2-9] is done/,
  /roll turn back is done/,
  /drop turn@\d+ is done/,
  /drop turn@\d+ is refused/,
  /build over__\d+ is done/,
  /the log goes on in another segment/,
  /power is cut before anything else/,
  /the backup of \d+ is restored/,
  /the log has been sealed up to [1-9]/,
  /rows of tables are on disk: [1-9]/,
  /compacted: [1-9]\d* rows/,
  /old begins at [1-9]/,
  /read old from \d+: "old" begins at offset/,
  /ALTER TABLE old .* is refused: views depend on the history/,
  /CREATE MATERIALIZED VIEW late__.* is done/,
  /erase .* is done/,
  /count ev from [1-9]\d* to .* is at/,
  /count ev .* is refused: consumer .* has been opened anew/,
  /request \d+\/[1-9].* is at/,
];

judged(1, 500, simulate, "", HAPPENS);
