/**
 * In which order test files are run: long ones first, so that at the end no worker runs a long one alone while the others have nothing left.
 * Without times of a run before (CI has none) vitest begins with the largest files; the simulation's are the smallest and run the longest.
 */
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What a few lines run for minutes. */
const LONG = /^test\/sim\//;

export class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean =>
      LONG.test(relative(this.ctx.config.root, moduleId).replaceAll("\\", "/"));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
