/** The nodes and networks of a test, which are stopped after it. */
import { afterEach } from "vitest";
import { Network } from "./network.ts";
import { Node } from "./support.ts";

const nodes: Node[] = [];
const networks: Network[] = [];

afterEach(async () => {
  for (const network of networks.splice(0)) await network.close();
  for (const node of nodes.splice(0).reverse()) await node.stop().catch(() => {});
});

export async function started(options: Parameters<typeof Node.start>[0] = {}): Promise<Node> {
  const node = await Node.start(options);
  nodes.push(node);
  return node;
}

/** A network before the node. */
export async function networked(node: Node): Promise<Network> {
  const network = await Network.before(node.url);
  networks.push(network);
  return network;
}

/** The test itself has stopped the node. */
export function gone(node: Node): void {
  nodes.splice(nodes.indexOf(node), 1);
}
