/** Views of these tests that are followed: what the engine's subscribe() gives. */
import { encodeUtf8 } from "../../src/base/bytes.ts";
import type { SubscribeOptions, SubscribeTarget, SubscriptionEvent } from "../../src/engine/api.ts";
import { encode, type FakeData, type FakeView } from "./fake-data.ts";

export async function* subscription(
  data: FakeData,
  targets: readonly SubscribeTarget[],
  options: SubscribeOptions = {},
): AsyncGenerator<SubscriptionEvent> {
  const { signal } = options;
  let seen = data.position;
  const named = targets.map((target) => ({ ...target, state: data.view(target.view) }));
  for (const { view, key, from, state } of named) {
    const start = from === undefined ? options.from : from;
    if (start !== undefined && start !== null) {
      if (Number(start) > data.position) yield { type: "reset", view, reason: "the position is not known" };
      else {
        for (const step of state.steps) {
          if (step.position <= Number(start)) continue;
          yield {
            type: "step",
            position: String(step.position),
            views: new Map([[view, [encodeUtf8(step.changes.slice(1, -1))]]]),
          };
        }
        continue;
      }
    }
    const keyId = key === undefined ? undefined : encode(key);
    const rows = [...state.rows].filter(([id]) => keyId === undefined || id === keyId);
    const rowsJson = rows.map(([id, row]) => `{"key":${id},"row":${row}}`);
    // In two messages, as a large snapshot comes.
    const half = Math.floor(rowsJson.length / 2);
    for (const [part, last] of [
      [rowsJson.slice(0, half), false] as const,
      [rowsJson.slice(half), true] as const,
    ]) {
      if (part.length === 0 && !last) continue;
      yield {
        type: "snapshot",
        view,
        columns: state.topic.schema.fields.map((f) => ({ name: f.name, type: f.type.name })),
        keyColumns: state.topic.key ?? [],
        order: [],
        rowsJson: part,
        position: String(data.position),
        last,
      };
    }
  }
  const told = new Set<FakeView>();
  while (!signal?.aborted) {
    for (const { view, state } of named) {
      if (state.error === undefined || told.has(state)) continue;
      told.add(state);
      yield { type: "error", view, error: state.error };
    }
    for (; seen < data.position; seen++) {
      const views = new Map<string, readonly Uint8Array[]>();
      for (const { view, key, state } of named) {
        const step = state.steps.find((s) => s.position === seen + 1);
        if (step !== undefined && (key === undefined || step.keyIds.includes(encode(key))))
          views.set(view, [encodeUtf8(step.changes.slice(1, -1))]);
      }
      if (views.size > 0) yield { type: "step", position: String(seen + 1), views };
    }
    if (seen === data.position) await data.next(signal);
  }
}
