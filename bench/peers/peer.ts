/**
 * Peers that are too heavy for the project's own dependencies: they live in this folder, with a package.json, a pom.xml and a Cargo.toml of their own, and
 * come onto a machine by `npm run bench -- --peers` (install.ts). A bench that finds one missing says so, with the reason, beside its other numbers.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Measured } from "../report.ts";

export const peersDirectory = import.meta.dirname;

/** Why a peer cannot be measured here. */
export class PeerAbsent extends Error {}

export const HOW_TO_INSTALL = "`npm run bench -- --peers` installs it";

const requirePeer = createRequire(join(peersDirectory, "package.json"));

/**
 * A package of this folder's node_modules. Its types are not here when it is not: the caller says what it uses of it.
 *
 * @throws PeerAbsent
 */
export function loadPeer<Module>(name: string): Module {
  try {
    return requirePeer(name) as Module;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND";
    throw new PeerAbsent(missing ? `not installed; ${HOW_TO_INSTALL}` : String(error), { cause: error });
  }
}

/** What `open` gives, or the line that says why it is absent. */
export async function peerOrAbsent<Peer>(
  name: string,
  unit: string,
  open: () => Promise<Peer>,
): Promise<{ readonly peer: Peer | null; readonly absent: readonly Measured[] }> {
  try {
    return { peer: await open(), absent: [] };
  } catch (error) {
    if (!(error instanceof PeerAbsent)) throw error;
    return { peer: null, absent: [{ name, unit, value: null, note: `absent: ${error.message}` }] };
  }
}
