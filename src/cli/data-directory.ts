/** Arguments that name a directory: an empty one, as of a variable that is not set, would be the working directory. */
import { statSync } from "node:fs";
import { UsageError } from "./exit.ts";

export function dataDirectory(text: string): string {
  if (text === "") throw new UsageError("the directory's name is empty");
  // What is not there, or cannot be looked at, whoever opens it has more to say about.
  let isOther = false;
  try {
    isOther = !statSync(text).isDirectory();
  } catch {
    return text;
  }
  if (isOther) throw new UsageError(`${text} is no directory`);
  return text;
}
