/** A text that begins with U+FEFF lost it when it was read: the decoder took it for a byte order mark. Its key then named another row than the frame's. */
import { expect, it } from "vitest";
import { Dictionary } from "../../src/state/dictionary.ts";

it("is read as it was written", () => {
  const dictionary = new Dictionary();
  for (const text of ["\ufeff", "\ufeffa", "\ufeff\ufeff and more than are decoded one by one"])
    expect(dictionary.string(dictionary.internString(text))).toBe(text);
});
