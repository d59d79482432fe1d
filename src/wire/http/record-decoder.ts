/**
 * The records of an append's body, out of its bytes as they arrive: NDJSON, or JSON that is one value or an array.
 *
 * Cutting and parsing are two calls, so that the caller decides how long it goes on parsing without a pause.
 */
import { EvertError, toEvertError } from "../../base/errors.ts";
import { parseJson } from "../../batch/lossless-json.ts";
import { prefixPath, ValueError } from "../../batch/value-error.ts";
import { type Element, JsonElementDecoder } from "./json-elements.ts";
import { invalidUtf8, LineDecoder, recordBytesMax } from "./ndjson.ts";

/** How a body is written. */
export type BodyFormat = "json" | "ndjson";

/** What counts the records of a body: lines from 1 in NDJSON, indexes from 0 in JSON. */
export type PlaceUnit = "line" | "index";

export interface RecordDecoder {
  readonly unit: PlaceUnit;
  /** Appends the texts of the records these bytes complete, also when it throws then. @throws EvertError. */
  push(bytes: Uint8Array, out: Element[]): void;
  /** The body has ended. @throws EvertError when it is cut short. */
  end(out: Element[]): void;
}

export function recordDecoder(format: BodyFormat): RecordDecoder {
  return format === "ndjson" ? new NdjsonRecords() : new JsonRecords();
}

class NdjsonRecords implements RecordDecoder {
  readonly unit = "line";
  readonly #lines = new LineDecoder();

  push(bytes: Uint8Array, out: Element[]): void {
    this.#lines.push(bytes, out);
  }

  end(out: Element[]): void {
    this.#lines.end(out);
  }
}

class JsonRecords implements RecordDecoder {
  readonly unit = "index";
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true });
  readonly #elements = new JsonElementDecoder(recordBytesMax);

  push(bytes: Uint8Array, out: Element[]): void {
    this.#elements.push(this.#decode(bytes, true), out);
  }

  end(out: Element[]): void {
    this.#elements.push(this.#decode(new Uint8Array(0), false), out);
    this.#elements.end(out);
  }

  #decode(bytes: Uint8Array, stream: boolean): string {
    try {
      return this.#utf8.decode(bytes, { stream });
    } catch (error) {
      throw invalidUtf8(`index ${this.#elements.count} or later`, error);
    }
  }
}

/** The record's value, with all its digits. @throws EvertError that names the record's line or index. */
export function parseRecord(element: Element, unit: PlaceUnit): unknown {
  try {
    return parseJson(element.text);
  } catch (error) {
    throw atPlace(toEvertError(error), "", unit, element.number);
  }
}

const rowPath = /^records\[(\d+)\]\.?(.*)$/s;

/** Which of the rows it was given an append refused, by the path of its error (`records[3].price`); undefined: none in particular. */
export function refusedRow(error: EvertError): number | undefined {
  const match = error instanceof ValueError ? rowPath.exec(error.path) : null;
  return match === null ? undefined : Number(match[1]);
}

/** The same error, said of the line or the index the row came from. `numbers` is parallel to the rows. */
export function atPlaceOfRow(error: EvertError, unit: PlaceUnit, numbers: readonly number[]): EvertError {
  const match = error instanceof ValueError ? rowPath.exec(error.path) : null;
  const number = match === null ? undefined : numbers[Number(match[1])];
  return match === null || number === undefined ? error : atPlace(error, match[2]!, unit, number);
}

/** `line 4: price: reason`, or `records[3].price: reason`. */
function atPlace(error: EvertError, path: string, unit: PlaceUnit, number: number): EvertError {
  const { code, detail, hint, sqlstate } = error;
  const reason = error instanceof ValueError ? error.reason : error.message;
  const inner = new ValueError(code, path, reason, { detail, hint, sqlstate, cause: error });
  if (unit === "index") return toEvertError(prefixPath(inner, `records[${number}]`));
  return new EvertError(code, `line ${number}: ${inner.message}`, { detail, hint, sqlstate, cause: error });
}
