/** The text of a request, and places in it. PostgreSQL's parser counts UTF-8 bytes from 0, its messages characters from 1. */
export class SourceText {
  readonly text: string;
  /** Bytes and characters are the same thing. */
  private readonly ascii: boolean;

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

  private walk(byteOffset: number): { characters: number; units: number } {
    let bytes = 0;
    let characters = 0;
    let units = 0;
    while (bytes < byteOffset && units < this.text.length) {
      const point = this.text.codePointAt(units)!;
      bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
      units += point < 0x10000 ? 1 : 2;
      characters++;
    }
    return { characters, units };
  }
}
