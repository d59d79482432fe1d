import { comparePositions, EvertError, type LiveView, type Named } from "evert/client";
import { useEvert } from "evert/react";
import { useCallback, useState } from "react";

export interface Receipt {
  readonly position: string;
  /** From the press of the button until the page showed it; undefined when nothing on the page had to change. */
  readonly ms: number | undefined;
}

/** How long a change is waited for; an update to the same value changes nothing. */
const shownMsMax = 2_000;

/** Sends something to the log, and says when it was stored and when `view`, which it changes, showed it. */
export function useSubmit(view: Named) {
  const client = useEvert();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<EvertError>();
  const [receipt, setReceipt] = useState<Receipt>();

  const submit = useCallback(
    async (send: () => Promise<{ readonly position: string }>): Promise<boolean> => {
      const pressedAt = performance.now();
      setBusy(true);
      setError(undefined);
      setReceipt(undefined);
      try {
        const { position } = await send();
        const shown = await showing(client.view(view), position);
        setReceipt({ position, ms: shown ? performance.now() - pressedAt : undefined });
        return true;
      } catch (thrown) {
        setError(thrown instanceof EvertError ? thrown : new EvertError("internal", String(thrown)));
        return false;
      } finally {
        setBusy(false);
      }
    },
    [client, view],
  );
  return { submit, busy, error, receipt };
}

/** Resolves with true once the view shows the position, with false when it did not in time. */
function showing(view: LiveView<unknown>, position: string): Promise<boolean> {
  return new Promise((resolve) => {
    const check = () => {
      if (view.position !== undefined && comparePositions(view.position, position) >= 0) finish(true);
    };
    const finish = (shown: boolean) => {
      clearTimeout(timer);
      leave();
      resolve(shown);
    };
    const timer = setTimeout(finish, shownMsMax, false);
    const leave = view.subscribe(check);
    check();
  });
}
