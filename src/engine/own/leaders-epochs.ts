/**
 * Epochs of producers and consumers are given out by whoever leads. What a leader has given may be lost with it, where no replica had confirmed it; who takes its place knows nothing
 * of that, and would give the same number to somebody else. Two instances in one epoch are what epochs are there to prevent: both would go on, and what each sends under
 * a number of the other would be taken for sent. So each leader's begin above all that another can have given.
 */

/** What one leader gives of one name: more than it will ever have to. */
const EPOCHS_OF_A_LEADER = 2 ** 32;

/** `logEpoch`: how often the log has come to another leader. Integers to the end: 2^21 leaders fit. */
export function firstEpochOf(logEpoch: number): number {
  return logEpoch * EPOCHS_OF_A_LEADER;
}
