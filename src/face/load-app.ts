/** The topics and views of an app module, in the order in which they can be made. */
import { EvertError } from "../base/errors.ts";
import type { ChainNode, Relation } from "./chain.ts";
import { type AnyHandle, type AnyTopic, type AnyView, isHandle } from "./handles.ts";
import { isSqlFunction, type SqlFunction } from "./routines.ts";

export interface App {
  readonly topics: readonly AnyTopic[];
  readonly views: readonly AnyView[];
  /** What it gives SQL to call. */
  readonly functions: readonly SqlFunction[];
}

/**
 * Collects the handles a module exports, alone or in arrays, and those they stand on: an app may keep an inner view to
 * itself. A view comes after the views it reads.
 * @throws EvertError when two different handles have one name.
 */
export function loadApp(module: Readonly<Record<string, unknown>>): App {
  const exported = Object.values(module).flatMap((value) => (Array.isArray(value) ? value : [value]));
  return { ...collect(exported.filter(isHandle)), functions: [...new Set(exported.filter(isSqlFunction))] };
}

/** The same for handles already at hand. */
export function collect(handles: readonly AnyHandle[]): Omit<App, "functions"> {
  const byName = new Map<string, AnyHandle>();
  const topics: AnyTopic[] = [];
  const views: AnyView[] = [];
  const add = (handle: AnyHandle) => {
    const known = byName.get(handle.name);
    if (known === handle) return;
    if (known !== undefined) {
      throw new EvertError(
        "duplicate_table",
        `"${handle.name}" names both a ${known.kind} and another ${handle.kind}`,
        {
          hint: "Names are shared by topics, tables and views: rename one.",
        },
      );
    }
    byName.set(handle.name, handle);
    if (handle.kind !== "view") {
      topics.push(handle);
      return;
    }
    for (const relation of relationsOf(handle)) if (isHandle(relation)) add(relation);
    views.push(handle);
  };
  handles.forEach(add);
  return { topics, views };
}

/** What a view reads, as far as its definition names it by handle. */
export function relationsOf(view: AnyView): readonly Relation[] {
  return view.definition.kind === "sql" ? view.definition.relations : sourcesOf(view.definition.node);
}

function sourcesOf(node: ChainNode): Relation[] {
  switch (node.kind) {
    case "source":
      return [node.relation];
    case "join":
      return [...sourcesOf(node.left), ...sourcesOf(node.right)];
    case "union":
      return node.inputs.flatMap(sourcesOf);
    case "iterate":
      return [...sourcesOf(node.base), ...sourcesOf(node.step)];
    case "found":
      return [];
    default:
      return sourcesOf(node.input);
  }
}
