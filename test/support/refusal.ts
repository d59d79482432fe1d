/** What was thrown, in the parts that people and programs see. */
import { EvertError } from "../../src/base/errors.ts";

export function refusal(work: () => unknown): EvertError {
  try {
    work();
  } catch (error) {
    return thrown(error);
  }
  throw new Error("nothing was refused");
}

export async function refusalOf(work: () => Promise<unknown>): Promise<EvertError> {
  try {
    await work();
  } catch (error) {
    return thrown(error);
  }
  throw new Error("nothing was refused");
}

function thrown(error: unknown): EvertError {
  if (error instanceof EvertError) return error;
  throw error;
}
