/** Places in a text that is not all ASCII, near the steps that are remembered of it and far from them. */
import { describe, expect, it } from "vitest";
import { SourceText } from "../../src/sql/source-text.ts";

describe("places of a long text", () => {
  it.each(["é", "€", "𝄞", "a"])("of %s are those that walking from the beginning finds", (letter) => {
    const text = `x${"ab".repeat(700)}${letter.repeat(3000)}y${letter.repeat(5)}`;
    const source = Object.freeze(new SourceText(text));
    const encoder = new TextEncoder();
    let bytes = 0;
    let characters = 0;
    for (const character of text) {
      expect(source.position(bytes)).toBe(characters + 1);
      bytes += encoder.encode(character).length;
      characters++;
    }
    expect(source.position(bytes)).toBe(characters + 1);
    expect(source.slice(1, bytes)).toBe(text.slice(1));
    expect(source.slice(0, Number.MAX_SAFE_INTEGER)).toBe(text);
  });
});
