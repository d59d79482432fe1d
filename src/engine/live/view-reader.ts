/** Reads of a view by name: by key, in its order, with what it shows while it is made anew. */
import { EvertError } from "../../base/errors.ts";
import { resumed } from "../../base/iterators.ts";
import { type ReadOptions, readRows } from "../../views/read-rows.ts";
import type { View } from "../../views/view.ts";
import type { Answer, ReadOptions as AnswerOptions, Key, RowsQuery, ViewReader } from "../api.ts";
import type { Core } from "../core.ts";
import { DEFAULT_TIMEOUT_MS } from "../moments.ts";
import { detailedInfoOf } from "./view-info.ts";

export function viewReader(core: Core, name: string): ViewReader {
  const live = core.views.named(name);
  return {
    get info() {
      return detailedInfoOf(core, live);
    },
    get: (key: Key, options?: AnswerOptions) =>
      lookup(core, name, key, options, (view, slot) => ({
        row: slot < 0 ? undefined : view.encoder.row(slot),
      })),
    getJson: (key: Key, options?: AnswerOptions) =>
      lookup(core, name, key, options, (view, slot) => {
        core.subscriptions.shown(name);
        return { rowJson: slot < 0 ? undefined : view.encoder.rowJson(slot), fields: view.fields };
      }),
    rows: async (query: RowsQuery = {}) => {
      const rows: Record<string, unknown>[] = [];
      await answerable(core, name, query);
      const { view, epoch, answer } = rowsOf(core, name);
      const chunks = readRows(view, epoch, query, (encoder, slot) => encoder.row(slot), paceOf(core));
      for await (const chunk of chunks) for (const row of chunk) rows.push(row);
      return { rows, ...answer };
    },
    rowsJson: async (query: RowsQuery = {}) => {
      await answerable(core, name, query);
      const { view, epoch, answer } = rowsOf(core, name);
      core.subscriptions.shown(name);
      const chunks = readRows(view, epoch, query, (encoder, slot) => encoder.rowJson(slot), paceOf(core));
      // What is wrong with the query is said before there is an answer.
      return { rowsJson: resumed([await chunks.next()], chunks), fields: view.fields, ...answer };
    },
  };
}

/** Takes the row in the turn in which it is found: afterwards its slot may be another's. */
async function lookup<R extends object>(
  core: Core,
  name: string,
  key: Key,
  options: AnswerOptions = {},
  take: (view: View, slot: number) => R,
): Promise<R & Answer> {
  await answerable(core, name, options);
  // The view may be another when the row has come back.
  for (let brought: View | null = null; ; ) {
    const { view, epoch, answer } = rowsOf(core, name);
    const bringing = brought === view ? null : view.bring(key);
    if (bringing === null) return { ...take(view, view.find(key, epoch)), ...answer };
    await bringing;
    brought = view;
    if (!core.publisher.moments.isWhole) await answerable(core, name, options);
  }
}

function paceOf({ chores, slices, stepper }: Core): ReadOptions {
  return { turn: () => chores.turn(), slices, looked: () => stepper.lookedFor() };
}

/** What a read is answered from: the view's rows or, while they are made anew, the earlier ones. */
function rowsOf(core: Core, name: string): { view: View; epoch: number; answer: Answer } {
  const { views, publisher, stepper } = core;
  stepper.lookedFor();
  const live = views.named(name);
  const { epoch, position } = publisher.published;
  const stale = views.staleRows(live);
  if (stale === null && !publisher.moments.isWhole) throw publisher.moments.refusal();
  const behind = core.catchUp === null ? {} : { catchingUp: true as const };
  return stale === null
    ? { view: views.sound(live), epoch, answer: { position: String(position), ...behind } }
    : { view: stale.view, epoch, answer: { position: String(stale.position), stale: true } };
}

/** Waits until options.atLeast is reflected; where a view shows earlier rows than that, until it has been made anew. */
async function answerable(core: Core, name: string, options: AnswerOptions): Promise<void> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const waitsUntil = performance.now() + timeoutMs;
  await core.reached(options);
  core.refuseEnded();
  const wanted = Number(options.atLeast ?? 0);
  for (;;) {
    const live = core.views.named(name);
    const stale = core.views.staleRows(live);
    const rebuilt = live.filling?.done ?? core.catchUp?.ended;
    // The earlier rows are of a moment that was.
    const { moments } = core.publisher;
    while (stale === null && !moments.isWhole) await moments.wait(waitsUntil - performance.now());
    if (stale === null || rebuilt === undefined || wanted <= stale.position) return;
    if (core.failure !== null) throw core.failure;
    if (await isLate(rebuilt, waitsUntil - performance.now())) {
      throw new EvertError("timeout", `view "${name}" was not rebuilt within ${timeoutMs} ms`, {
        detail: `Until it is, its rows reflect position ${stale.position}.`,
        hint: "Ask again, give a larger timeoutMs, or read without atLeast.",
      });
    }
  }
}

/** Whether the work takes longer than that. */
async function isLate(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), Math.max(0, ms));
  });
  try {
    return await Promise.race([work.then(() => false), late]);
  } finally {
    clearTimeout(timer);
  }
}
