/**
 * Tells of source files that change in a folder and the folders below it.
 *
 * Every folder has a watcher of its own. Node's recursive watching has, on Linux, one per file, and a file that an editor replaces by another
 * takes its watcher along: the first save is seen and no later one. A folder's watcher stays, whatever becomes of the files in it, and folders
 * that are passed over (dependencies, data) cost nothing.
 */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { extname, join, sep } from "node:path";

const sourceExtensions = new Set([".ts", ".tsx", ".mts", ".js", ".mjs", ".json"]);

export interface SourceWatch {
  close(): void;
}

/** `passOver` is a folder, as an absolute path, that is no source. */
export function watchSources(root: string, passOver: string, changed: () => void): SourceWatch {
  const watchers = new Map<string, FSWatcher>();

  const forget = (folder: string) => {
    for (const [path, watcher] of watchers) {
      if (path !== folder && !path.startsWith(folder + sep)) continue;
      watcher.close();
      watchers.delete(path);
    }
  };

  /** Watches the folder and those in it; whether there is a source file in one of them. */
  const enter = (folder: string): boolean => {
    if (folder === passOver) return false;
    try {
      if (!statSync(folder).isDirectory()) return false;
      const watcher = watch(folder, (_event, name) => {
        if (name !== null) seen(folder, name);
      });
      // It is gone, of which the one above tells.
      watcher.on("error", () => forget(folder));
      watchers.set(folder, watcher);
      let found = false;
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (isPassedOver(entry.name)) continue;
        if (entry.isDirectory()) found = enter(join(folder, entry.name)) || found;
        else found ||= sourceExtensions.has(extname(entry.name));
      }
      return found;
    } catch (error) {
      // It went meanwhile. That there are no watchers left, say, is for the user to know.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      forget(folder);
      return false;
    }
  };

  const seen = (folder: string, name: string) => {
    if (isPassedOver(name)) return;
    if (sourceExtensions.has(extname(name))) return changed();
    // Perhaps a folder that came, or took the place of another.
    const path = join(folder, name);
    forget(path);
    if (enter(path)) changed();
  };

  enter(root);
  return { close: () => forget(root) };
}

function isPassedOver(name: string): boolean {
  return name === "node_modules" || name.startsWith(".");
}
