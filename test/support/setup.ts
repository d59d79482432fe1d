/** Before each test file. */
import fc from "fast-check";
import { seed } from "./seed.ts";

// The time limit is for shrinking: no green property comes near it.
fc.configureGlobal({ seed, interruptAfterTimeLimit: 240_000 });
