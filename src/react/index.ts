/** `evert/react`: hooks over the client. */
export { EvertProvider, type EvertProviderProps, useEvert } from "./provider.ts";
export { type RowSnapshot, type UseViewOptions, useRow, useView } from "./use-view.ts";
