/**
 * What is sound in the files of a log, wherever it stands: each frame whose every byte is as it was written, each sealed segment with what is wrong
 * with it.
 *
 * Files may have lost their order as well as their bytes (two of them, or two pieces of one, in each other's place). So names and places are not
 * believed: a frame says itself which log it is of and which positions it has, and a sealed segment is what ends as one. Of a frame 24 bytes are
 * kept.
 */
import { type Disk, joinPath, readFully } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";
import { FRAME_ALIGNMENT } from "../frame.ts";
import { GrowingNumbers } from "../growing-numbers.ts";
import { type Scanned, Scanner } from "../scanner.ts";
import { readTail, TAIL_BYTES, type Tail } from "../sealed/format.ts";
import { openSealed, type SealedSegment } from "../sealed/sealed-segment.ts";
import { type Fault, faults, turns } from "../sealed/verify.ts";
import { parseSegmentName } from "../segment.ts";

export interface FramesFile {
  readonly form: "frames";
  readonly name: string;
  readonly path: string;
  readonly logId: number;
  /** Sound frames, in the order of the file. */
  readonly at: GrowingNumbers;
  readonly firstPositions: GrowingNumbers;
  readonly commitCounts: GrowingNumbers;
  /** From its beginning on they follow one another, and nothing else stands between them. */
  readonly isUnbroken: boolean;
  /** Behind the last sound frame something stands. */
  readonly hasTail: boolean;
}

export interface SealedFile {
  readonly form: "sealed";
  readonly name: string;
  readonly path: string;
  readonly logId: number;
  readonly segment: SealedSegment;
  readonly faults: readonly Fault[];
}

export type SurveyedFile = FramesFile | SealedFile;

export interface Survey {
  readonly logId: number;
  /** Those of the log; others, and sealed segments of which not even the directory can be read, are left out. */
  readonly files: readonly SurveyedFile[];
  /** Everything in the directory that has the name of a segment. */
  readonly names: readonly string[];
}

/** Null where nothing sound is left. @throws EvertError format_unsupported, io_error */
export async function surveyLog(disk: Disk, directory: string): Promise<Survey | null> {
  const names = (await disk.list(directory)).filter((name) => parseSegmentName(name) !== null).sort();
  const files: SurveyedFile[] = [];
  for (const name of names) {
    const path = joinPath(directory, name);
    const sealed = await surveySealed(disk, path, name);
    if (sealed !== null) files.push(sealed);
    else files.push(...(await surveyFrames(disk, path, name)));
  }
  const logId = mostCommon(files);
  if (logId === null) return null;
  return { logId, names, files: files.filter((file) => file.logId === logId) };
}

/** The frames of each log that has some in the file: more than one only where foreign bytes have come in. */
async function surveyFrames(disk: Disk, path: string, name: string): Promise<FramesFile[]> {
  const logs = new Map<number, FramesFile>();
  const file = await disk.open(path, "read");
  let isUnbroken = true;
  let hasTail = false;
  try {
    const scanner = new Scanner(file, 0, await file.size(), true);
    for (let end = 0; ; ) {
      const found = await scanner.next();
      if (found.kind === "frame") {
        if (found.at !== end) isUnbroken = false;
        end = found.at + found.header.frameBytes;
        note(logs, name, path, found);
        continue;
      }
      // Where a frame's columns hold a copy of a frame, that one is met, too: it repeats positions, and is dropped for that.
      const next = await scanner.findHeader(found.at + FRAME_ALIGNMENT, () => true);
      if (next !== null) {
        scanner.at = next.at;
        continue;
      }
      hasTail = (await scanner.findNonZero(end)) !== null;
      break;
    }
  } finally {
    await file.close();
  }
  const isMixed = logs.size > 1;
  return [...logs.values()].map((of) => ({ ...of, hasTail, isUnbroken: isUnbroken && !isMixed }));
}

function note(
  logs: Map<number, FramesFile>,
  name: string,
  path: string,
  { at, header }: Scanned & { readonly kind: "frame" },
): void {
  const { logId, firstPosition, commitCount } = header;
  let file = logs.get(logId);
  if (file === undefined) {
    const numbers = {
      at: new GrowingNumbers(),
      firstPositions: new GrowingNumbers(),
      commitCounts: new GrowingNumbers(),
    };
    logs.set(
      logId,
      (file = { form: "frames", name, path, logId, ...numbers, isUnbroken: true, hasTail: false }),
    );
  }
  file.at.push(at);
  file.firstPositions.push(firstPosition);
  file.commitCounts.push(commitCount);
}

/** Null where its directory cannot be read: nobody knows then what its pages are. */
async function surveySealed(disk: Disk, path: string, name: string): Promise<SealedFile | null> {
  const tail = await tailOf(disk, path);
  if (tail === null) return null;
  let segment: SealedSegment;
  try {
    segment = await openSealed(disk, path, tail.firstPosition, parseSegmentName(name)!.generation);
  } catch (error) {
    if (error instanceof EvertError && error.code === "log_damaged") return null;
    throw error;
  }
  const found: Fault[] = [];
  for await (const fault of faults(disk, path, segment, turns())) found.push(fault);
  return { form: "sealed", name, path, logId: segment.logId, segment, faults: found };
}

async function tailOf(disk: Disk, path: string): Promise<Tail | null> {
  const file = await disk.open(path, "read");
  try {
    const bytes = new Uint8Array(TAIL_BYTES);
    const at = (await file.size()) - TAIL_BYTES;
    if (at < 0 || (await readFully(file, bytes, at)) < TAIL_BYTES) return null;
    return readTail(bytes);
  } finally {
    await file.close();
  }
}

/** The log that most commits are of. */
function mostCommon(files: readonly SurveyedFile[]): number | null {
  const votes = new Map<number, number>();
  for (const file of files) votes.set(file.logId, (votes.get(file.logId) ?? 0) + commitsIn(file));
  let most: number | null = null;
  for (const [logId, count] of votes) if (most === null || count > votes.get(most)!) most = logId;
  return most;
}

function commitsIn(file: SurveyedFile): number {
  if (file.form === "sealed") return file.segment.directory.commitCount;
  let commits = 0;
  for (let i = 0; i < file.commitCounts.length; i++) commits += file.commitCounts.at(i);
  return commits;
}
