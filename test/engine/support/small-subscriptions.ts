/** Subscriptions to a database's views of which little is kept, so that steps are lost to whoever is slow. */
import { expect, vi } from "vitest";
import type { Database } from "../../../src/engine/database.ts";
import { Subscriptions } from "../../../src/views/subscriptions.ts";

/** They are told what the database publishes, until mocks are restored. */
export function smallSubscriptions({ core }: Database): Subscriptions {
  const own = new Subscriptions({
    now: () => 0,
    isWhole: () => true,
    published: () => core.publisher.published,
    resolve: (name) => ({ view: core.views.named(name).view!, error: () => null }),
    turn: () => core.chores.turn(),
    looked: () => {},
    failed: (error) => expect.unreachable(String(error)),
    keepBytes: 100_000,
  });
  vi.spyOn(core.subscriptions, "publish").mockImplementation((step) => own.publish(step));
  return own;
}
