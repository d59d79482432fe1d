import { expect, test } from "vitest";
import type { DiskFile } from "../../../src/base/disk.ts";
import { ClosingFile } from "../../../src/state/cold/closing-file.ts";

/** A file whose operations last until they are told to end. */
class SlowFile implements DiskFile {
  readonly path = "/data/slow";
  closed = 0;
  readonly #ends: (() => void)[] = [];

  #last<T>(value: T): Promise<T> {
    return new Promise((resolve) => this.#ends.push(() => resolve(value)));
  }

  /** Of those under way the first. */
  end(): void {
    this.#ends.shift()?.();
  }

  read(): Promise<number> {
    return this.#last(7);
  }

  readNow(): number {
    return 7;
  }

  write(): Promise<number> {
    return this.#last(7);
  }

  async datasync(): Promise<void> {}
  async truncate(): Promise<void> {}
  async size(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

test("a file closes when the last read or write under way has ended, once, and takes no other meanwhile", async () => {
  const slow = new SlowFile();
  const file = new ClosingFile(slow);
  const target = new Uint8Array(8);
  const read = file.read(target, 0);
  const write = file.write(target, 0);
  const closing = file.close();
  slow.end();
  expect(await read).toBe(7);
  expect(slow.closed).toBe(0);
  await expect(file.read(target, 0)).rejects.toMatchObject({ code: "shutting_down" });
  expect(() => file.readNow(target, 0)).toThrow("cannot be read any more");
  slow.end();
  expect(await write).toBe(7);
  await Promise.all([closing, file.close()]);
  expect(slow.closed).toBe(1);
});

test("a file that fails a read closes all the same", async () => {
  const slow = new SlowFile();
  slow.read = () => Promise.reject(new Error("lost"));
  const file = new ClosingFile(slow);
  const read = expect(file.read(new Uint8Array(1), 0)).rejects.toThrow("lost");
  await file.close();
  await read;
  expect(slow.closed).toBe(1);
});
