/**
 * Operands of a generated function: constants, conversions between forms, errors. What both the compiler of expressions and the
 * emitters of single functions write with.
 */
import { assert } from "../../base/assert.ts";
import { carrierOf, isSmallNumeric, type SqlType } from "../../batch/types.ts";
import type { ConstExpr, Datum } from "../../plan/expression.ts";
import { type Dictionary, WIDE } from "../../state/dictionary.ts";
import { CodeWriter, type Fragment } from "./code-writer.ts";
import { Decimal, decimalFromText, FINITE, magnitude, powerOfTen, ZERO } from "./decimal.ts";
import { fault, type ScalarError } from "./errors.ts";
import {
  BOOL,
  columnForm,
  DECIMAL,
  FLOAT8,
  type Form,
  INT4,
  INT8,
  NUMERIC,
  type Operand,
  PLAIN_FLOAT8,
  SAFE_DIGITS,
  SAFE_INT8,
  STRING,
  scaledForm,
  TEXT,
  zeroOf,
} from "./operand.ts";
import { type KernelRuntime, runtimeOf } from "./runtime.ts";
import { constrainDecimal, type Value } from "./value.ts";

/** The result of a function whose arguments are not null; `isNull` only where it may answer null itself. */
export interface Computed {
  readonly code: string;
  readonly form: Form;
  readonly isNull?: string;
}

/** Code of a function, or undefined to leave these operands to the general way. */
export type Emitter = (
  to: OperandWriter,
  args: readonly Operand[],
  type: SqlType,
  argTypes: readonly SqlType[],
) => Computed | undefined;

export interface Kernel<F> {
  readonly run: F;
  /** For EXPLAIN (CODE). */
  readonly source: string;
  /** Gives back the dictionary's references of the code's constants. */
  dispose(): void;
}

/** What keeps references of the dictionary for generated code. */
export interface Disposable {
  dispose(): void;
}

export class OperandWriter {
  readonly writer = new CodeWriter();
  readonly runtime: KernelRuntime;
  readonly #retained: number[] = [];
  readonly #held: Disposable[] = [];
  /** Statement that leaves the row when fault.error is set. */
  protected onError: string | null = null;

  constructor(dictionary: Dictionary) {
    this.runtime = runtimeOf(dictionary);
  }

  /** Name of the runtime in the generated code. */
  get rt(): string {
    return this.writer.parameter(this.runtime, "rt");
  }

  get dictionary(): string {
    return this.writer.parameter(this.runtime.dictionary, "dictionary");
  }

  /** The operand's code as a column of `type` holds it: a number; 0 for a null. */
  stored(operand: Operand, type: SqlType): string {
    const inForm = this.inForm(operand, columnForm(type));
    return inForm.form.kind === "bool" ? `(${inForm.code} ? 1 : 0)` : inForm.code;
  }

  /** Compiles the function written so far; its name and parameters are the caller's. */
  finish<F>(name: string, parameters: readonly string[]): Kernel<F> {
    return { ...this.writer.compile<F>(name, parameters), dispose: this.#givingBack() };
  }

  /** What was written so far, for a function that the caller puts together. */
  fragment(): Fragment & Disposable {
    return { ...this.writer.fragment(), dispose: this.#givingBack() };
  }

  /** Gives back what the code written so far keeps. */
  #givingBack(): () => void {
    const { dictionary } = this.runtime;
    const retained = this.#retained.splice(0);
    const held = this.#held.splice(0);
    return () => {
      for (const id of retained.splice(0)) dictionary.release(id);
      for (const object of held.splice(0)) object.dispose();
    };
  }

  /** Name of an object the generated code uses and the kernel disposes of. */
  held(object: Disposable, prefix: string): string {
    this.#held.push(object);
    return this.writer.parameter(object, prefix);
  }

  // ---- errors ---------------------------------------------------------------------------------------------------

  /** Leaves the row with this error if the condition holds. */
  failIf(condition: string, error: ScalarError): void {
    const faultName = this.writer.parameter(fault, "fault");
    const errorName = this.writer.parameter(error, "error");
    this.writer.block(`if (${condition})`, () => {
      this.writer.line(`${faultName}.error = ${errorName};`);
      this.writer.line(this.#leave);
    });
  }

  /** Leaves the row if the function called last left an error. */
  checkFault(): void {
    this.writer.line(`if (${this.writer.parameter(fault, "fault")}.error !== null) ${this.#leave}`);
  }

  get #leave(): string {
    assert(this.onError !== null, "what may fail is written where a row can be left");
    return this.onError;
  }

  // ---- constants ----

  constant(expr: ConstExpr): Operand {
    const form = columnForm(expr.type);
    if (expr.value === null) return this.nullOf(form);
    return this.#constantOperand(expr.value, expr.type);
  }

  #constantOperand(value: Exclude<Datum, null>, type: SqlType): Operand {
    const made = (code: string, form: Form, constant: Exclude<Value, null>): Operand => ({
      code,
      isNull: "false",
      form,
      constant,
    });
    if (type.name === "numeric") return this.#numericConstant(value as string | bigint, type);
    switch (carrierOf(type)) {
      case "int32": {
        const plain = (value as number) | 0; // no negative zero
        return made(numberLiteral(plain), INT4, plain);
      }
      case "int64": {
        const code = this.wideConstant(value as bigint);
        return made(numberLiteral(code), code < WIDE ? SAFE_INT8 : INT8, value as bigint);
      }
      case "double":
        return made(
          numberLiteral(value as number),
          Number.isNaN(value) ? FLOAT8 : PLAIN_FLOAT8,
          value as number,
        );
      case "bool":
        return made(String(value), BOOL, value as boolean);
      case "string":
        return made(numberLiteral(this.#textConstant(value as string)), TEXT, value as string);
    }
  }

  #numericConstant(value: string | bigint, type: SqlType): Operand {
    const x =
      typeof value === "string" ? decimalFromText(value) : new Decimal(FINITE, value, type.scale ?? 0);
    const digits = magnitude(x.unscaled).toString().length;
    if (x.kind === FINITE && digits <= SAFE_DIGITS) {
      const form = scaledForm(x.scale, digits);
      return { code: numberLiteral(Number(x.unscaled)), isNull: "false", form, constant: x };
    }
    return { code: this.writer.parameter(x, "decimal"), isNull: "false", form: DECIMAL, constant: x };
  }

  #textConstant(value: string): number {
    const id = this.runtime.internText(value);
    this.#retain(id);
    return id;
  }

  wideConstant(value: bigint): number {
    const code = this.runtime.code(value);
    if (code >= WIDE) this.#retain((code - WIDE) / 1024);
    return code;
  }

  /** What a column of this type, no numeric, holds for the value; retained as long as the generated code lives. */
  retainedCode(value: Exclude<Value, null>, type: SqlType): number {
    switch (carrierOf(type)) {
      case "int64":
        return this.wideConstant(value as bigint);
      case "string":
        return this.#textConstant(value as string);
      case "int32":
      case "double":
      case "bool":
        return Number(value);
    }
  }

  #retain(id: number): void {
    this.runtime.dictionary.retain(id);
    this.#retained.push(id);
  }

  nullOf(form: Form): Operand {
    return { code: this.zero(form), isNull: "true", form };
  }

  zero(form: Form): string {
    return zeroOf(form, () => this.writer.parameter(ZERO, "zero"));
  }

  // ---- values ----

  /** An operand's value as the library takes it. It is not null. */
  value(arg: Operand): string {
    switch (arg.form.kind) {
      case "int8":
        return arg.form.safe ? `BigInt(${arg.code})` : `${this.rt}.big(${arg.code})`;
      case "text":
        return `${this.rt}.text(${arg.code})`;
      case "numeric":
      case "scaled":
      case "loose":
        return this.inForm(arg, DECIMAL).code;
      case "int4":
      case "float8":
      case "bool":
      case "string":
      case "decimal":
        return arg.code;
    }
  }

  /** What a library function of this result type returned, as a code. */
  fromValue(result: string, type: SqlType): Computed {
    if (type.name === "numeric") return { code: result, form: DECIMAL };
    switch (carrierOf(type)) {
      case "int64":
        return { code: `${this.rt}.code(${result})`, form: INT8 };
      case "string":
        return { code: result, form: STRING };
      case "int32":
      case "double":
      case "bool":
        return { code: result, form: columnForm(type) };
    }
  }

  // ---- forms -----------------------------------------------------------------------------------------

  /** The same value in another form of the same type. */
  inForm(arg: Operand, to: Form): Operand {
    const from = arg.form;
    if (from.kind === to.kind && (!("scale" in from) || !("scale" in to) || from.scale === to.scale))
      return arg;
    const converted = (code: string): Operand => {
      const guarded = arg.isNull === "false" ? code : `${arg.isNull} ? ${this.zero(to)} : ${code}`;
      return { code: this.writer.bind(guarded), isNull: arg.isNull, form: to };
    };
    if (to.kind === "text") {
      assert(from.kind === "string", "a text is an id or a string");
      return converted(`${this.rt}.internText(${arg.code})`);
    }
    if (to.kind === "decimal") {
      if (arg.constant instanceof Decimal)
        return { ...arg, code: this.writer.parameter(arg.constant, "decimal"), form: DECIMAL };
      if (from.kind === "scaled") return converted(`${this.rt}.decimalOfScaled(${arg.code}, ${from.scale})`);
      if (from.kind === "loose") return converted(`${this.rt}.decimalOfLoose(${arg.code}, ${from.scale})`);
      return converted(`${this.rt}.decimal(${arg.code})`);
    }
    if (to.kind === "numeric") {
      if (arg.constant instanceof Decimal) {
        return { ...arg, code: numberLiteral(this.retainedNumeric(arg.constant)), form: NUMERIC };
      }
      if (from.kind === "scaled") return converted(`${this.rt}.internScaled(${arg.code}, ${from.scale})`);
      if (from.kind === "loose") return converted(`${this.rt}.internLoose(${arg.code}, ${from.scale})`);
      return converted(`${this.rt}.internDecimal(${arg.code})`);
    }
    if (to.kind === "loose") {
      assert(from.kind === "scaled" && from.scale === to.scale, "only what has a scale is made loose");
      return from.digits <= SAFE_DIGITS
        ? { ...arg, form: to }
        : converted(`${this.rt}.looseInteger(${arg.code})`);
    }
    assert(to.kind === "scaled", "only a numeric has several forms");
    if (
      from.kind === "scaled" &&
      from.digits + to.scale - from.scale <= SAFE_DIGITS &&
      to.scale >= from.scale
    ) {
      return converted(timesPower(arg.code, to.scale - from.scale));
    }
    const x = this.inForm(arg, DECIMAL);
    return converted(
      `${this.rt}.code(${this.writer.parameter(unscaledAt, "unscaledAt")}(${x.code}, ${to.scale}))`,
    );
  }

  /** A numeric's id, retained as long as the generated code lives. */
  retainedNumeric(x: Decimal): number {
    const id = this.runtime.internDecimal(x);
    this.#retain(id);
    return id;
  }

  /** The same operand with an id, if it is a text without. */
  identified(arg: Operand): Operand {
    return arg.form.kind === "string" ? this.inForm(arg, TEXT) : arg;
  }

  /** Rounded and checked to numeric(p,s) where `type` asks for that and the operand is not known to be so. */
  constrained(arg: Operand, type: SqlType): Operand {
    const { precision, scale = 0 } = type;
    if (precision === undefined) return arg;
    const { form } = arg;
    if (form.kind === "scaled" && form.scale <= scale && form.digits - form.scale <= precision - scale) {
      return isSmallNumeric(type)
        ? this.inForm(arg, scaledForm(scale, precision))
        : this.#constrainedDecimal(arg, type);
    }
    return this.#constrainedDecimal(arg, type);
  }

  #constrainedDecimal(arg: Operand, type: SqlType): Operand {
    if (arg.isNull === "true") return this.nullOf(columnForm(type));
    const { writer } = this;
    const x = this.inForm(arg, DECIMAL);
    const call = `${writer.parameter(constrainDecimal, "constrain")}(${x.code}, ${writer.parameter(type, "type")})`;
    const fits: Operand = {
      code: writer.bind(arg.isNull === "false" ? call : `${arg.isNull} ? ${x.code} : ${call}`),
      isNull: arg.isNull,
      form: DECIMAL,
    };
    this.checkFault();
    return isSmallNumeric(type) ? this.inForm(fits, columnForm(type)) : fits;
  }
}

/** As it is written in code; a negative number in parentheses, so that no operator merges with its sign. */
export function numberLiteral(x: number): string {
  if (Object.is(x, -0)) return "(-0)";
  return x < 0 ? `(${x})` : String(x);
}

/** x * 10^n. */
export function timesPower(code: string, n: number): string {
  return n === 0 ? code : `${code} * ${10 ** n}`;
}

export function negated(code: string): string {
  if (code === "true") return "false";
  if (code === "false") return "true";
  return isName(code) ? `!${code}` : `!(${code})`;
}

/** Whether it may be written down again without being computed again. */
export function isName(code: string): boolean {
  return /^[\w$.]+$/.test(code);
}

/** The unscaled value at a scale that holds it, or to which it was rounded before. */
function unscaledAt(x: Decimal, scale: number): bigint {
  return scale >= x.scale
    ? x.unscaled * powerOfTen(scale - x.scale)
    : x.unscaled / powerOfTen(x.scale - scale);
}
