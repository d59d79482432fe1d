/** evert erase TOPIC KEY */
import type { Command } from "commander";
import type { ErasedAnswer } from "../client/protocol.ts";
import { write } from "./output.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";

export function eraseCommand(evert: Command): void {
  withRemote(
    evert
      .command("erase <topic> <key>")
      .description(
        "delete a row for good: no file of the server's data directory has it afterwards, in its history either",
      ),
  ).action(erase);
}

async function erase(topic: string, key: string, options: RemoteOptions): Promise<void> {
  const path = `/v1/topics/${encodeURIComponent(topic)}/records/${encodeURIComponent(key)}?erase=true`;
  const { position, sinks } = await new Remote(options).delete<ErasedAnswer>(path);
  await write(`erased up to position ${position}\n`);
  for (const sink of sinks)
    await write(`views over it are appended to ${sink}, which has a history of its own\n`);
}
