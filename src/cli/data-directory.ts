/** An argument that names a directory: an empty one, as of a variable that is not set, would be the working directory. */
import { UsageError } from "./exit.ts";

export function dataDirectory(text: string): string {
  if (text !== "") return text;
  throw new UsageError("the directory's name is empty");
}
