/** Hooks that show a view, or one row of it, and render again when it changes. */
import { useCallback, useMemo, useSyncExternalStore } from "react";
import type {
  AnyRow,
  EvertError,
  Key,
  LiveStatus,
  LiveView,
  Named,
  RowOf,
  ViewSnapshot,
} from "../client/index.ts";
import { useEvert } from "./provider.ts";

/** What a server renders, and a browser while it hydrates: nothing yet. */
const serverSnapshot: ViewSnapshot<never> = Object.freeze({
  rows: Object.freeze([]),
  position: undefined,
  status: "connecting",
  error: undefined,
});

export interface UseViewOptions {
  /** false: show what is known, and do not ask the server. */
  readonly enabled?: boolean;
}

/**
 * The view's rows at one moment, in its order. Components that show the same view share one subscription, and all views of
 * the page change in one render.
 *
 *     import type { charts } from "../app.ts";
 *     const { rows, status } = useView<typeof charts>("charts");
 */
export function useView<V extends Named>(view: V, options?: UseViewOptions): ViewSnapshot<RowOf<V>>;
export function useView<V = AnyRow>(name: string, options?: UseViewOptions): ViewSnapshot<RowOf<V>>;
export function useView(viewOrName: string | Named, options: UseViewOptions = {}): ViewSnapshot<unknown> {
  const view = useLiveView(viewOrName);
  return useSyncExternalStore(
    useSubscribe(view, options.enabled ?? true),
    () => view.snapshot,
    () => serverSnapshot,
  );
}

export interface RowSnapshot<Row> {
  /** undefined: there is no row with this key, or (see `status`) none is known yet. */
  readonly row: Row | undefined;
  readonly status: LiveStatus;
  readonly error: EvertError | undefined;
}

const serverRow: RowSnapshot<never> = Object.freeze({
  row: undefined,
  status: "connecting",
  error: undefined,
});

/** One row by its key. Renders again when this row changes, not when others do. */
export function useRow<V extends Named>(view: V, key: Key, options?: UseViewOptions): RowSnapshot<RowOf<V>>;
export function useRow<V = AnyRow>(name: string, key: Key, options?: UseViewOptions): RowSnapshot<RowOf<V>>;
export function useRow(
  viewOrName: string | Named,
  key: Key,
  options: UseViewOptions = {},
): RowSnapshot<unknown> {
  const view = useLiveView(viewOrName);
  const read = useMemo(() => rowReader(view), [view]);
  return useSyncExternalStore(
    useSubscribe(view, options.enabled ?? true),
    () => read(key),
    () => serverRow,
  );
}

/** Gives the same object while row, status and error are the same, so that React skips what did not change. */
function rowReader(view: LiveView<AnyRow>): (key: Key) => RowSnapshot<AnyRow> {
  let last: RowSnapshot<AnyRow> = serverRow;
  return (key) => {
    const row = view.get(key);
    const { status, error } = view;
    if (last.row !== row || last.status !== status || last.error !== error)
      last = Object.freeze({ row, status, error });
    return last;
  };
}

function useLiveView(viewOrName: string | Named): LiveView<AnyRow> {
  const client = useEvert();
  return client.view(typeof viewOrName === "string" ? viewOrName : viewOrName.name);
}

/** Stable for a view: React subscribes anew whenever this function changes. */
function useSubscribe(view: LiveView<AnyRow>, enabled: boolean): (listener: () => void) => () => void {
  return useCallback(
    (listener: () => void) => (enabled ? view.subscribe(listener) : () => undefined),
    [view, enabled],
  );
}
