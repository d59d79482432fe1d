/** What is dropped together: the version of a view that its plain name means, and the others. */
import { EvertError } from "../../base/errors.ts";
import type { RelationEntry } from "../catalog/catalog.ts";
import { versionDefined } from "../catalog/promotions.ts";
import type { Core } from "../core.ts";

/**
 * What goes with these relations: a version that its plain name means stays while there are others, unless all go.
 * @throws EvertError dependent_objects
 */
export function alsoGoing(
  core: Core,
  going: readonly RelationEntry[],
  isCascade: boolean,
): readonly RelationEntry[] {
  const ids = new Set(going.map(({ id }) => id));
  const more: RelationEntry[] = [];
  for (const entry of going) {
    if (entry.kind !== "view") continue;
    const { base, version } = versionDefined(entry.name);
    if (core.catalog.promotions.decided(base).version !== version) continue;
    const others = core.catalog.versions(base).filter((other) => !ids.has(other.entry.id));
    if (others.length === 0) continue;
    if (!isCascade) {
      throw new EvertError("dependent_objects", `cannot drop version ${version} of view "${base}"`, {
        detail: `"${base}" means it, and there are other versions: ${others.map((o) => o.version).join(", ")}.`,
        hint: "Promote another version first, or drop the others first.",
      });
    }
    for (const other of others) {
      ids.add(other.entry.id);
      more.push(other.entry);
    }
  }
  return [...going, ...more];
}
