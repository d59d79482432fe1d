/**
 * Writes a generated function: its lines, its names, and the objects it closes over.
 *
 * Nothing of a query's text gets into the code but numbers and quoted property names; everything else is handed over as a
 * parameter of the function around it.
 */
import { assert } from "../../base/assert.ts";
import { compiled } from "../../base/compiled.ts";

export interface Fragment {
  readonly lines: readonly string[];
  readonly parameters: ReadonlyMap<string, unknown>;
}

export class CodeWriter {
  #lines: string[] = [];
  #depth = 1;
  #names = 0;
  readonly #parameters = new Map<string, unknown>();
  readonly #nameOf = new Map<unknown, string>();
  /** One map per open block: what has been computed there and is still in sight. */
  #known: Map<unknown, unknown>[] = [new Map()];

  /** A name nobody else has. */
  name(prefix: string): string {
    return prefix + ++this.#names;
  }

  /** A function or object the generated code may use under the returned name, which begins with $ as no other does. */
  parameter(value: object, prefix: string): string {
    const found = this.#nameOf.get(value);
    if (found !== undefined) return found;
    const plain = `$${prefix}`;
    const name = this.#parameters.has(plain) ? this.name(plain) : plain;
    this.#parameters.set(name, value);
    this.#nameOf.set(value, name);
    return name;
  }

  line(text: string): void {
    this.#lines.push("  ".repeat(this.#depth) + text);
  }

  /** `header {` ... `}`, with what is computed inside forgotten after it. */
  block(header: string, body: () => void): void {
    this.line(header === "" ? "{" : `${header} {`);
    this.indented(body);
    this.line("}");
  }

  /** Lines one level deeper, in a scope of their own. */
  indented(body: () => void): void {
    this.#depth++;
    this.#known.push(new Map());
    body();
    this.#known.pop();
    this.#depth--;
  }

  /** Runs `body` and returns the lines it wrote instead of keeping them. */
  capture<T>(body: () => T): { readonly lines: readonly string[]; readonly result: T } {
    const outer = this.#lines;
    this.#lines = [];
    this.#known.push(new Map());
    const result = body();
    this.#known.pop();
    const lines = this.#lines;
    this.#lines = outer;
    return { lines, result };
  }

  /** Lines from capture(), which were written at the depth they belong. */
  append(lines: readonly string[]): void {
    for (const line of lines) this.#lines.push(line);
  }

  /** `compute()`, once per place from which its result can be seen. */
  once<T>(key: unknown, compute: () => T): T {
    for (const known of this.#known) {
      if (known.has(key)) return known.get(key) as T;
    }
    const made = compute();
    this.#known[this.#known.length - 1]!.set(key, made);
    return made;
  }

  /** A new constant holding `code`. */
  bind(code: string, prefix = "v"): string {
    const name = this.name(prefix);
    this.line(`const ${name} = ${code};`);
    return name;
  }

  /** The function written so far, as it will be compiled. */
  source(name: string, parameters: readonly string[]): string {
    return `function ${name}(${parameters.join(", ")}) {\n${this.#lines.join("\n")}\n}`;
  }

  /** The lines so far, to stand within another function's, and what that one must be given. */
  fragment(): Fragment {
    assert(this.#known.length === 1, "every block of a fragment is closed");
    return { lines: this.#lines, parameters: this.#parameters };
  }

  /** Compiles it. */
  compile<F>(name: string, parameters: readonly string[]): { readonly run: F; readonly source: string } {
    assert(this.#known.length === 1, "every block of a generated function is closed");
    const source = this.source(name, parameters);
    const make = compiled(...this.#parameters.keys(), `"use strict";\nreturn ${source};`);
    return { run: make(...this.#parameters.values()) as F, source };
  }
}
