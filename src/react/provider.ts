/** Which client the components below use. */
import { createContext, createElement, type ReactElement, type ReactNode, useContext, useMemo } from "react";
import { EvertError } from "../base/errors.ts";
import { type Client, type ClientOptions, connect } from "../client/index.ts";

const EvertContext = createContext<Client | undefined>(undefined);

export type EvertProviderProps = { readonly children?: ReactNode } & (
  | { readonly client: Client }
  /** The server's address; "" is the page's own. `options` are those of the first render with this address. */
  | { readonly url: string; readonly options?: ClientOptions }
);

/**
 * Gives the components below a client: one of yours, or one for the address. The latter needs no closing: its connection
 * ends when the last component that shows a view is gone.
 */
export function EvertProvider(props: EvertProviderProps): ReactElement {
  const given = "client" in props ? props.client : undefined;
  const url = "url" in props ? props.url : "";
  const options = "url" in props ? props.options : undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: options are usually a literal, new at every render; a new client each time would drop every view.
  const client = useMemo(() => given ?? connect(url, options), [given, url]);
  return createElement(EvertContext.Provider, { value: client }, props.children);
}

/** The client of the nearest EvertProvider. */
export function useEvert(): Client {
  const client = useContext(EvertContext);
  if (client === undefined) {
    throw new EvertError("invalid_argument", "there is no EvertProvider above this component", {
      hint: 'Wrap the app: <EvertProvider url=""> ... </EvertProvider>.',
    });
  }
  return client;
}
