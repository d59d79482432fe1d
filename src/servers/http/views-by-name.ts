/** What lists of views call them. */
import type { Engine, ViewInfo } from "../../engine/api.ts";

/** All views, each under a name by which it is read: the first version of one is `charts@1` where `charts` means another by now. */
export function viewsByName(engine: Engine): ViewInfo[] {
  const views = engine.views();
  const versioned = new Set(views.flatMap(({ name }) => /^(.+)@\d+$/s.exec(name)?.[1] ?? []));
  return views.map((info) =>
    versioned.has(info.name) && engine.versions.list(info.name).some((v) => v.isCurrent && v.version !== 1)
      ? { ...info, name: `${info.name}@1` }
      : info,
  );
}
