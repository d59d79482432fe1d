/** Data directories of a test file, removed when it is done. */
import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { removeChecked } from "../../support/left-behind.ts";

export class Directories {
  readonly #made: string[] = [];

  constructor() {
    afterAll(() => this.removeAll());
  }

  async make(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), "evert-engine-"));
    this.#made.push(directory);
    return directory;
  }

  /** What a crash would leave: the files as they are this moment. */
  async copy(directory: string): Promise<string> {
    const target = await this.make();
    await cp(directory, target, { recursive: true });
    return target;
  }

  async removeAll(): Promise<void> {
    for (const directory of this.#made.splice(0)) await removeChecked(directory);
  }
}
