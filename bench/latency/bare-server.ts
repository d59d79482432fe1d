/**
 * What no server can do without: `bare-server.ts DIR`. Takes a reading by HTTP, appends it to a zero-filled file, one fdatasync for all that came
 * while the disk was busy, then answers and pushes it to the listener. No log, no views, no schema; the same two addresses.
 */
import { open } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

const [dir] = process.argv.slice(2) as [string];
const MIB = 1 << 20;
const FILE_BYTES = 16 * MIB;
const file = await open(join(dir, "bare"), "w+");
for (let at = 0; at < FILE_BYTES; at += MIB) await file.write(new Uint8Array(MIB), 0, MIB, at);
await file.sync();

let listener: ServerResponse | null = null;
let waiting: { readonly text: string; readonly response: ServerResponse }[] = [];
let busy = false;
let at = 0;

async function flush(): Promise<void> {
  busy = true;
  while (waiting.length > 0) {
    const group = waiting;
    waiting = [];
    const bytes = Buffer.from(group.map((w) => w.text).join(""));
    if (at + bytes.length > FILE_BYTES) at = 0;
    await file.write(bytes, 0, bytes.length, at);
    await file.datasync();
    at += bytes.length;
    const changes = group.flatMap(({ text }) =>
      (JSON.parse(text) as { sensor: number; number: number }[]).map(({ sensor, number }) => ({
        op: "update",
        key: sensor,
        row: { sensor, latest: number },
      })),
    );
    listener?.write(`event: change\ndata: ${JSON.stringify({ changes })}\n\n`);
    for (const { response } of group) response.end("{}");
  }
  busy = false;
}

const server = createServer({ noDelay: true }, (request, response) => {
  if (request.method === "GET") {
    listener = response;
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    return;
  }
  let text = "";
  request.setEncoding("utf8");
  request.on("data", (chunk: string) => (text += chunk));
  request.on("end", () => {
    waiting.push({ text, response });
    if (!busy) void flush();
  });
});
server.listen(0, "127.0.0.1", () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on("disconnect", () => process.exit());
