/** What command-line tools need of what lies below the engine. */
export { type App, loadApp } from "../face/load-app.ts";
export { type BackupSource, backupLog } from "../log/backup.ts";
export type { CheckReport, Damage } from "../log/check.ts";
export { LOG_DIRECTORY } from "../log/lock.ts";
export { timeUsOf } from "./read-time.ts";
export { checkDirectory, type RepairReport, repairDirectory } from "./repair.ts";
export type { FollowOptions } from "./replica/role.ts";
export { type RestoreTo, restoreBackup } from "./restore-backup.ts";
export { topicNames } from "./topic-names.ts";
