/** Where the lines of the server's log go. What cannot be written is kept for when it can, up to a bound. */
import { destination } from "pino";

const unwrittenBytesMax = 2 ** 20;

export function logDestination(fd: number): ReturnType<typeof destination> {
  const lines = destination({ dest: fd, sync: true, maxLength: unwrittenBytesMax });
  // What is full may be the disk that its log lies on. There is nobody else to tell, and the server has other things to do.
  lines.on("error", () => {});
  // A line that is dropped tries no write, and no later one would be written: an empty one tries.
  lines.on("drop", () => lines.write(""));
  return lines;
}
