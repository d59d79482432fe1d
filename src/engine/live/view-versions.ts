/**
 * Versions of a view side by side: made, compared, promoted, taken back, dropped. docs/decisions/0054-versions-of-a-view.md says why so.
 *
 * A version is a view like any other: built from history while writers go on, kept, checkpointed. What is special is which of them the plain name
 * means.
 */
import { EvertError } from "../../base/errors.ts";
import type { ViewEntry } from "../catalog/catalog.ts";
import type { CatalogEvent } from "../catalog/catalog-events.ts";
import { versionDefined, versionNamed } from "../catalog/promotions.ts";
import type { Core } from "../core.ts";
import { namedIn } from "../sql/drop.ts";

export interface ViewVersion {
  readonly version: number;
  /** What it can be read as, whatever the plain name means. */
  readonly name: string;
  /** The plain name means it. */
  readonly isCurrent: boolean;
  /** The plain name meant it before. */
  readonly isPrevious: boolean;
  readonly entry: ViewEntry;
}

/** @throws EvertError undefined_table; wrong_object_type where it is no materialized view, or names a version. */
export function versionsOf(core: Core, base: string): ViewVersion[] {
  const { catalog } = core;
  if (versionNamed(base) !== null) {
    throw new EvertError("wrong_object_type", `"${base}" is one version of a view`, {
      hint: `The view is "${versionDefined(base).base}".`,
    });
  }
  const versions = catalog.versions(base);
  // The one that its name means may be lost: then another can be promoted.
  if (!catalog.promotions.has(base) || versions.length === 0) core.views.named(base);
  const { version: current, previous } = catalog.promotions.decided(base);
  return versions.map(({ version, entry }) => ({
    version,
    name: `${base}@${version}`,
    isCurrent: version === current,
    isPrevious: version === previous,
    entry,
  }));
}

/**
 * The plain name means that version from the answered position on, for whoever reads and whoever watches. @throws EvertError not_ready, view_failed
 */
export function promoteVersion(core: Core, base: string, version: number): Promise<string> {
  return core.defineAfter(async () => {
    const found = versionsOf(core, base).find((v) => v.version === version);
    if (found === undefined) throw noVersion(core, base, version);
    if (found.isCurrent) return [];
    const live = core.views.named(found.name);
    // Nobody is led from rows to none.
    core.views.sound(live);
    return [promotion(core, base, version)];
  });
}

/** The plain name means the version before. @throws EvertError undefined_object where there is none. */
export async function rollBack(core: Core, base: string): Promise<{ position: string; version: number }> {
  let version = 0;
  const position = await core.defineAfter(async () => {
    const previous = versionsOf(core, base).find((v) => v.isPrevious);
    if (previous === undefined) {
      throw new EvertError("not_found", `view "${base}" has no version to go back to`, {
        detail: "No other was promoted before, or it has been dropped.",
      });
    }
    version = previous.version;
    core.views.sound(core.views.named(previous.name));
    return [promotion(core, base, version)];
  });
  return { position, version };
}

function promotion(core: Core, base: string, version: number): CatalogEvent {
  const { version: previous } = core.catalog.promotions.decided(base);
  const current = core.catalog.version(base, previous);
  const others = current === undefined ? [] : readers(core, base, current);
  const pinned = others.map((view) => ({ ...view, pinned: { ...view.pinned, [base]: previous } }));
  return { event: "promote", name: base, version, previous, others: pinned };
}

/** Views that read the view by its plain name: they go on with the version that they read. */
function readers({ catalog, views }: Core, base: string, current: ViewEntry): ViewEntry[] {
  return catalog.views().filter((view) => {
    if (view.pinned !== undefined && Object.hasOwn(view.pinned, base)) return false;
    if (view.sql !== null) return namedIn(catalog, view).get(base) === current.id;
    return views.reads(view.id).includes(current.id);
  });
}

export function noVersion(core: Core, base: string, version: number): EvertError {
  const there = core.catalog.versions(base).map((v) => v.version);
  return new EvertError("undefined_table", `view "${base}" has no version ${version}`, {
    detail: `There ${there.length === 1 ? "is version" : "are versions"} ${there.join(", ")}.`,
    hint: `Make it: CREATE MATERIALIZED VIEW "${base}@${version}" AS ..., or evert view build ${base}@${version}.`,
  });
}

/** The number of the next version. */
export function nextVersion(core: Core, base: string): number {
  return Math.max(...versionsOf(core, base).map((v) => v.version), 0) + 1;
}
