/** The sequencer against another end that is told what to answer; against real ones it is tried in test/engine/producers.test.ts and test/client/producer.test.ts. */
import { expect, test } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { type Place, Sequencer } from "../../src/base/sequencer.ts";

const early = () => new EvertError("out_of_sequence", "another number is expected");

function sequencer(answer: (place: Place, nth: number) => EvertError | "stored") {
  const sent: string[] = [];
  let epochs = 0;
  const made = new Sequencer<string, string>({
    register: async () => epochs++,
    async send(_topic, body, place) {
      const told = answer(place, sent.push(`${body} ${place.epoch}.${place.seq}`) - 1);
      if (told === "stored") return `${body} stored`;
      throw told;
    },
    again: async () => false,
  });
  return { made, sent };
}

test("the first that is refused as early is sent again under its number: a copy of it may have been stored in between", async () => {
  const { made, sent } = sequencer((_, nth) => (nth === 0 ? early() : "stored"));
  expect(await Promise.all([made.append("t", "a", 3), made.append("t", "b")])).toEqual([
    "a stored",
    "b stored",
  ]);
  expect(sent).toEqual(["a 0.0", "b 0.3", "a 0.0"]);
});

test("refused twice so, what was before it is lost: a new epoch begins", async () => {
  const { made, sent } = sequencer(({ epoch }) => (epoch === 0 ? early() : "stored"));
  expect(await made.append("t", "a")).toBe("a stored");
  expect(sent).toEqual(["a 0.0", "a 0.0", "a 1.0"]);
});

test("it does not begin epochs for ever", async () => {
  const { made, sent } = sequencer(early);
  await expect(made.append("t", "a")).rejects.toMatchObject({ code: "out_of_sequence" });
  expect(sent).toEqual(["a 0.0", "a 0.0", "a 1.0", "a 1.0", "a 2.0", "a 2.0", "a 3.0", "a 3.0"]);
});
