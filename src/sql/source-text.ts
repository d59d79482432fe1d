/** The text of a request, and places in it. PostgreSQL's parser counts UTF-8 bytes from 0, its messages characters from 1. */
const STEP_BYTES = 1024;

interface Place {
  readonly bytes: number;
  readonly characters: number;
  readonly units: number;
}

const BEGINNING: Place = { bytes: 0, characters: 0, units: 0 };

export class SourceText {
  readonly text: string;
  /** Bytes and characters are the same thing. */
  private readonly ascii: boolean;
  /** The place of every STEP_BYTES-th byte, once one is asked for. (Also where the text is kept, and frozen.) */
  #steps: Place[] | null = null;

  constructor(text: string) {
    this.text = text;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
    this.ascii = /^[\x00-\x7f]*$/.test(text);
  }

  /** 1-based character of a byte offset; undefined where the parser knows no place. */
  position(byteOffset: number | undefined): number | undefined {
    if (byteOffset === undefined || byteOffset < 0) return undefined;
    if (this.ascii) return byteOffset + 1;
    return this.walk(byteOffset).characters + 1;
  }

  /** The text between two byte offsets. */
  slice(fromByte: number, toByte: number): string {
    if (this.ascii) return this.text.slice(fromByte, toByte);
    return this.text.slice(this.walk(fromByte).units, this.walk(toByte).units);
  }

  private walk(byteOffset: number): Place {
    if (byteOffset < STEP_BYTES) return this.walkFrom(BEGINNING, byteOffset);
    // A text has as many places as it has names: walking to each from the beginning would take the square of its length.
    this.#steps ??= this.stepped();
    const step = Math.min(Math.floor(byteOffset / STEP_BYTES), this.#steps.length - 1);
    return this.walkFrom(this.#steps[step]!, byteOffset);
  }

  private stepped(): Place[] {
    let at = BEGINNING;
    const steps = [at];
    while (at.units < this.text.length) {
      at = this.walkFrom(at, STEP_BYTES * steps.length);
      steps.push(at);
    }
    return steps;
  }

  /** The first place at or behind the offset. */
  private walkFrom({ bytes, characters, units }: Place, byteOffset: number): Place {
    while (bytes < byteOffset && units < this.text.length) {
      const point = this.text.codePointAt(units)!;
      bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
      units += point < 0x10000 ? 1 : 2;
      characters++;
    }
    return { bytes, characters, units };
  }
}
