/** like_regex: flags of XQuery as options of our regular expressions. */
import { testPattern } from "../regex/functions.ts";
import { plainOptions } from "../regex/syntax.ts";
import { raiseFault } from "./path-fault.ts";

export function regexTest(pattern: string, flags: string): (text: string) => boolean {
  const literal = flags.includes("q");
  const options = {
    ...plainOptions,
    ignoreCase: flags.includes("i"),
    literal,
    dotStops: !literal && !flags.includes("s"),
    lineAnchors: !literal && flags.includes("m"),
  };
  return (text) => {
    const found = testPattern(text, pattern, options);
    raiseFault();
    return found;
  };
}
