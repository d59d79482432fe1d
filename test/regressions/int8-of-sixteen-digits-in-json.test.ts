/** 9007199254740992 is exactly a double, and was taken for one whose last digits are lost. */
import { expect, it } from "vitest";
import { datumFromJson } from "../../src/batch/convert.ts";
import { parseJson } from "../../src/batch/lossless-json.ts";
import { int8 } from "../../src/batch/types.ts";

it("an int8 of sixteen digits comes in from JSON", () => {
  for (const digits of [
    "9007199254740992",
    "-9007199254740992",
    "9223372036854775807",
    "4611686018427387904",
  ])
    expect(datumFromJson(int8, parseJson(digits))).toBe(BigInt(digits));
});
