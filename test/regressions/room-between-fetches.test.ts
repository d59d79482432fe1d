/**
 * One fetch of rows that were on disk followed the other, and a step asked for room after pieces of work alone, while nothing is on its way: there was no such moment
 * until the last row was there, and the state grew to twice its limit.
 */
import { expect, it } from "vitest";
import { Graph } from "../../src/dataflow/graph.ts";
import { Node } from "../../src/dataflow/node.ts";

/** Has `times` fetches to make before it is done. */
class Fetching extends Node {
  override readonly label = "fetching";
  readonly #times: number;
  begun = 0;
  there = 0;

  constructor(identity: string, times: number) {
    super(identity, []);
    this.#times = times;
  }

  override push(): void {}

  override work(): boolean {
    if (this.begun === this.there && this.begun < this.#times) {
      this.begun++;
      this.host.fetch(this, Promise.resolve());
    }
    return this.there < this.#times;
  }

  override fetched(): void {
    this.there++;
  }
}

it("makes room between one fetch and the next", async () => {
  const graph = new Graph(new Set(), {
    timing: "never",
    limits: null,
    memory: null,
    stopped: null,
    eager: true,
  });
  const node = graph.add(new Fetching("fetching", 3));
  graph.begin(0, 1);
  graph.end();
  const rooms: number[] = [];
  let lacks = true;
  const needsRoom = (): boolean => lacks;
  for (let turns = 0; !graph.run(Number.POSITIVE_INFINITY, needsRoom); turns++) {
    expect(turns).toBeLessThan(100);
    lacks = true;
    if (graph.wantsRoom) {
      // It is made.
      rooms.push(node.there);
      lacks = false;
    } else await graph.fetching;
  }
  expect(node.there).toBe(3);
  expect(rooms).toEqual([1, 2, 3]);
});
