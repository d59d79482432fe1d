import { beforeAll, describe, expect, it } from "vitest";
import { RepeatedTexts } from "../../src/sql/repeated-texts.ts";
import { loadParser, parseStatements } from "../../src/sql/statement.ts";

describe("texts that come again", () => {
  /** Asks for them as the parser does; which were made, in order. */
  const made = (texts: readonly string[]): string[] => {
    const kept = new RepeatedTexts<string>();
    return texts.filter((text) => {
      if (kept.get(text) !== undefined) return false;
      if (kept.comesAgain(text)) kept.keep(text, text);
      return true;
    });
  };

  it("are made twice, and not a third time", () => {
    expect(made(["a", "a", "a", "b", "a", "b", "b"])).toEqual(["a", "a", "b", "b"]);
  });

  it("stay while others come that are asked for once", () => {
    const once = Array.from({ length: 5000 }, (_, i) => `SELECT ${i}`);
    expect(made(["a", "a", ...once, "a"])).toEqual(["a", "a", ...once]);
  });

  it("go when so many others come again, the one that was not asked for longest first", () => {
    const others = Array.from({ length: 255 }, (_, i) => [`SELECT ${i}`, `SELECT ${i}`]).flat();
    const twice = ["a", "a", "b", "b"];
    expect(made([...twice, "a", ...others, "a", "b"])).toEqual([...twice, ...others, "b"]);
  });

  it("are not kept where they are long, and together take a bounded room", () => {
    const named = (texts: readonly string[]) => made(texts).map((text) => text.slice(-4));
    const long = "long".padStart(4097, "x");
    expect(named([long, long, long])).toEqual(["long", "long", "long"]);
    const large = Array.from({ length: 17 }, (_, i) => String(1000 + i).padStart(4096, "x"));
    const twice = large.flatMap((text) => [text, text]);
    expect(named([...twice, large[0]!, large[16]!])).toEqual([...named(twice), "1000"]);
  });
});

describe("a statement that comes again", () => {
  beforeAll(() => loadParser());

  it("is the same, and can be changed by nobody", () => {
    const text = "-- of which the é has two bytes\nSELECT 'é', $1 FROM t WHERE (a, b) IN ((1, 2)); SELECT 2";
    const first = parseStatements(text);
    const [second, third, fourth] = [parseStatements(text), parseStatements(text), parseStatements(text)];
    const plain = (statements: typeof first) =>
      statements.map(({ node, text, position }) => ({ node, text, position }));
    expect(first.map(({ isKept }) => isKept)).toEqual([false, false]);
    expect(plain(second)).toEqual(plain(first));
    expect(third).toBe(second);
    expect(fourth).toBe(second);
    const parts: unknown[] = [third];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      if (typeof part !== "object" || part === null) continue;
      expect(Object.isFrozen(part)).toBe(true);
      parts.push(...Object.values(part));
    }
  });

  it("is refused as often as it comes where it is wrong", () => {
    for (let i = 0; i < 4; i++) expect(() => parseStatements("SELECT FROM FROM")).toThrow(/syntax error/);
  });
});
