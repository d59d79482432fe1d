/**
 * A lock the kernel forgets when its owner dies, however it dies.
 *
 * Node offers no fcntl, but its built-in SQLite holds POSIX record locks on a database file for as long as an exclusive
 * transaction is open, and keeps its own list for a second opener in the same process, which fcntl alone would let through.
 * The file stays empty: nothing is ever written in the transaction. Reasons and alternatives: docs/decisions/0008-lock.md.
 *
 * One rule comes with POSIX locks: nobody in this process may open and close the lock file by other means, or the kernel
 * drops the lock.
 */
import type { DatabaseSync } from "node:sqlite";
import type { DiskLock } from "./disk.ts";
import { EvertError } from "./errors.ts";

const SQLITE_BUSY = 5;

/** @throws EvertError directory_locked when any process, this one included, holds it. */
export async function lockFile(path: string): Promise<DiskLock> {
  const sqlite = loadSqlite();
  let database: DatabaseSync | undefined;
  try {
    database = new sqlite.DatabaseSync(path);
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    throw lockError(path, error);
  }
  // The closure keeps the connection alive: collected as garbage, it would let go of the lock.
  const held = database;
  return {
    async release() {
      if (held.isOpen) held.close();
    },
  };
}

function lockError(path: string, error: unknown): EvertError {
  const code = (error as { errcode?: number }).errcode;
  if (code !== undefined && (code & 0xff) === SQLITE_BUSY) {
    return new EvertError("directory_locked", `${path} is held by another process`, { cause: error });
  }
  return new EvertError(
    "io_error",
    `cannot lock ${path}: ${error instanceof Error ? error.message : String(error)}`,
    {
      hint: "The data directory must be writable and on a file system that keeps POSIX locks.",
      cause: error,
    },
  );
}

/**
 * Node 22 prints an ExperimentalWarning when node:sqlite is first loaded (24 does not). What is used here, one exclusive
 * transaction, is as old as SQLite; the line on standard error would only frighten. It alone is held back.
 */
function loadSqlite(): typeof import("node:sqlite") {
  const emitWarning = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).startsWith("SQLite is an experimental feature")) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof process.emitWarning;
  try {
    return process.getBuiltinModule("node:sqlite");
  } finally {
    process.emitWarning = emitWarning;
  }
}
