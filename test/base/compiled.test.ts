import { expect, it } from "vitest";
import { CompiledCode, compiled } from "../../src/base/compiled.ts";

it("gives one function for the same names and text, whatever it is called with", () => {
  const make = compiled("a", "return () => a + 1;");
  expect(compiled("a", "return () => a + 1;")).toBe(make);
  const [one, two] = [make(1) as () => number, make(2) as () => number];
  expect([one(), two(), one()]).toEqual([2, 3, 2]);
});

it("tells names from text", () => {
  expect(compiled("a", "b", "return typeof b;")(1, 2)).toBe("number");
  expect(compiled("a", "return typeof b;")(1, 2)).toBe("undefined");
  expect(compiled("b", "a", "return b - a;")(3, 1)).toBe(2);
  expect(compiled("a", "b", "return b - a;")(3, 1)).toBe(-2);
});

it("keeps so much text, and of it what was asked for last", () => {
  const code = new CompiledCode(40);
  const [a, b] = [code.maker("return 1; // aaaaaaa"), code.maker("return 2; // bbbbbbb")];
  expect(code.maker("return 1; // aaaaaaa")).toBe(a);
  code.maker("return 3; // ccccccc");
  expect(code.size).toBe(2);
  expect(code.maker("return 1; // aaaaaaa")).toBe(a);
  expect(code.maker("return 2; // bbbbbbb")).not.toBe(b);
});

it("runs what is larger than all that is kept, and keeps nothing", () => {
  const code = new CompiledCode(10);
  expect(code.maker("return 'longer than ten';")()).toBe("longer than ten");
  expect(code.size).toBe(0);
});
