/**
 * Compiles expressions into the lines of a loop that runs over the rows of a chunk.
 *
 * The caller writes the loop: it opens it with the writer, compiles expressions where their values are needed and goes on
 * with the operands they come back as:
 *
 *   const loop = new LoopCompiler(dictionary);
 *   loop.writer.block("for (let i = 0; i < n; i++)", () =>
 *     loop.writer.block("row1:", () => {
 *       const key = loop.expression(expr, { row, onError: "break row1;" });
 *       loop.writer.line(`hash(${loop.stored(key, type)});`); ...
 *
 * 1. Every argument is evaluated before a function is, left to right; a strict function of a null is not called.
 * 2. What may fail leaves its error in `fault.error` and runs the scope's `onError`, a jump to code that takes it (takeFault)
 *    and goes on with the next row. No exception passes through the loop.
 * 3. A value once computed is a constant of the loop's body. Columns are read at first use, once per block they are seen from.
 * 4. A function has either a short emitter (emitters.ts) or goes the general way: values out of their codes, the exact function of
 *    the library, the result back into a code.
 */
import { assert } from "../../base/assert.ts";
import { bool, numeric, type SqlType } from "../../batch/types.ts";
import type { CallExpr, Expr, RoutineExpr, RowShape, UserFunction } from "../../plan/expression.ts";
import { callIsFallible, functionInfo } from "../../plan/functions.ts";
import { isFallible, nullableOf, typeOf } from "../../plan/inspect.ts";
import { constantCall } from "./constant-call.ts";
import { takesStrings } from "./emit-text.ts";
import { emitters } from "./emitters.ts";
import { fail, type ScalarError } from "./errors.ts";
import type { Callee } from "./guard.ts";
import { functionOf } from "./library.ts";
import { type Membership, quantifiedMembership, withMemberships, writeMembership } from "./membership.ts";
import { BOOL, columnForm, type Form, notNull, type Operand } from "./operand.ts";
import { type Computed, isName, negated, OperandWriter } from "./operand-writer.ts";
import { calleeOf, fromJs, gaveNull, ofView, userFailed } from "./user-function.ts";

/** How the loop reads column i of the row it is at: JavaScript for its code and for "it is null" ("false" for a column without nulls). */
export interface RowReader {
  readonly types: readonly SqlType[];
  value(column: number): string;
  isNull(column: number): string;
}

export interface Scope {
  readonly row: RowReader;
  /** Statement that leaves the row when fault.error is set. */
  readonly onError: string;
}

function leaveFault(error: ScalarError): void {
  fail(error, undefined);
}

export class LoopCompiler extends OperandWriter {
  #row: RowReader | null = null;
  readonly #rows = new Map<RowReader, number>();

  /** The expression's value at the current row. */
  expression(expr: Expr, scope: Scope): Operand {
    return this.#within(scope, () => this.#expression(expr));
  }

  /** Runs `otherwise` (a jump) unless the condition is true for the current row. */
  require(condition: Expr, scope: Scope, otherwise: string): void {
    // Leaving at the first conjunct that is not true must not hide an error a later one would have.
    const early =
      condition.kind === "and" &&
      !condition.args.slice(0, Math.max(0, condition.args.findLastIndex(isFallible))).some(nullableOf);
    for (const part of early && condition.kind === "and" ? condition.args : [condition]) {
      const operand = this.expression(part, scope);
      if (operand.code !== "true") this.writer.line(`if (!${operand.code}) ${otherwise}`);
    }
  }

  #within<T>(scope: Scope, compile: () => T): T {
    const outer = { row: this.#row, onError: this.onError };
    this.#row = scope.row;
    this.onError = scope.onError;
    const result = compile();
    this.#row = outer.row;
    this.onError = outer.onError;
    return result;
  }

  get #current(): RowReader {
    assert(this.#row !== null, "code of an expression is written in a scope");
    return this.#row;
  }

  // ---- expressions ----------------------------------------------------------------------------------------------

  #expression(expr: Expr): Operand {
    switch (expr.kind) {
      case "column":
        return this.#column(expr.index, expr.type, expr.nullable);
      case "outer":
        throw new Error("an outer column is none once the plan is decorrelated");
      case "const":
        return this.constant(expr);
      case "call":
        return this.#call(expr);
      case "and":
        return this.#logic(expr.args, false);
      case "or":
        return this.#logic(expr.args, true);
      case "not":
        return this.#not(this.#expression(expr.arg));
      case "isNull": {
        const { isNull } = this.#expression(expr.arg);
        return { code: isNull, isNull: "false", form: BOOL };
      }
      case "isDistinct":
        return this.#isDistinct(expr.left, expr.right, expr.equal);
      case "case":
        return this.#case(expr);
      case "coalesce":
        return this.#coalesce(expr.args, expr.type);
      case "js":
        return this.#userValue(expr.fn, expr.type);
      case "routine":
        return this.#routine(expr);
    }
  }

  #column(index: number, type: SqlType, nullable: boolean): Operand {
    const row = this.#current;
    return this.writer.once(`${this.#rowKey(row)}:${index}:${nullable}`, () => {
      const nullCode = nullable ? row.isNull(index) : "false";
      const isNull = nullCode === "false" ? nullCode : this.writer.bind(nullCode, "n");
      const code = row.value(index);
      const form = columnForm(type);
      return { code: this.writer.bind(form.kind === "bool" ? `${code} !== 0` : code), isNull, form };
    });
  }

  #rowKey(row: RowReader): number {
    let key = this.#rows.get(row);
    if (key === undefined) this.#rows.set(row, (key = this.#rows.size));
    return key;
  }

  #not(arg: Operand): Operand {
    if (arg.isNull === "false") return { code: negated(arg.code), isNull: "false", form: BOOL };
    return { code: this.writer.bind(`!${arg.code} && !${arg.isNull}`), isNull: arg.isNull, form: BOOL };
  }

  /** AND (decisive: false) and OR (true): stops at the decisive value; null if nothing decided and a null was met. */
  #logic(args: readonly Expr[], decisive: boolean): Operand {
    const { writer } = this;
    const nullable = args.some(nullableOf);
    const parts = decisive ? withMemberships(args) : args;
    // The first is always evaluated, so what it reads stays in sight.
    const first = this.#part(parts[0]!);
    const value = writer.name("v");
    const isNull = nullable ? writer.name("n") : "false";
    const label = writer.name(decisive ? "or" : "and");
    writer.line(`let ${value} = ${decisive};`);
    if (nullable) writer.line(`let ${isNull} = false;`);
    writer.block(`${label}:`, () => {
      for (const [k, part] of parts.entries()) {
        const operand = k === 0 ? first : this.#part(part);
        const decided = decisive ? operand.code : negated(operand.code);
        const stop = nullable ? `{ ${isNull} = false; break ${label}; }` : `break ${label};`;
        if (operand.isNull === "false") writer.line(`if (${decided}) ${stop}`);
        else {
          writer.line(`if (${operand.isNull}) ${isNull} = true;`);
          writer.line(`else if (${decided}) ${stop}`);
        }
      }
      writer.line(`${value} = ${decisive ? "false" : nullable ? `!${isNull}` : "true"};`);
    });
    return { code: value, isNull, form: BOOL };
  }

  #part(part: Expr | Membership): Operand {
    return part.kind === "membership" ? this.#membership(part) : this.#expression(part);
  }

  #membership({ value, constants }: Membership): Operand {
    return writeMembership(this, this.identified(this.#expression(value)), typeOf(value), constants);
  }

  #isDistinct(left: Expr, right: Expr, equal: CallExpr["fn"]): Operand {
    const { writer } = this;
    const types = [typeOf(left), typeOf(right)];
    const a = this.#expression(left);
    const b = this.#expression(right);
    if (a.isNull === "false" && b.isNull === "false") {
      return { code: negated(this.#computed(equal, [a, b], bool, types).code), isNull: "false", form: BOOL };
    }
    const value = writer.name("v");
    writer.line(`let ${value} = ${a.isNull} !== ${b.isNull};`);
    writer.block(`if (!${a.isNull} && !${b.isNull})`, () => {
      const computed = this.#computed(equal, [notNull(a), notNull(b)], bool, types);
      writer.line(`${value} = ${negated(computed.code)};`);
    });
    return { code: value, isNull: "false", form: BOOL };
  }

  #case(expr: Expr & { kind: "case" }): Operand {
    const target = this.#variable(columnForm(expr.type), nullableOf(expr));
    const label = this.writer.name("case");
    this.writer.block(`${label}:`, () => {
      for (const branch of expr.branches) {
        const when = this.#expression(branch.when);
        this.writer.block(`if (${when.code})`, () => {
          this.#assign(target, this.#expression(branch.then), expr.type);
          this.writer.line(`break ${label};`);
        });
      }
      this.#assign(target, this.#expression(expr.otherwise), expr.type);
    });
    return target;
  }

  #coalesce(args: readonly Expr[], type: SqlType): Operand {
    const target = this.#variable(columnForm(type), args.every(nullableOf));
    const label = this.writer.name("coalesce");
    this.writer.block(`${label}:`, () => {
      for (const [i, arg] of args.entries()) {
        const operand = this.#expression(arg);
        if (operand.isNull === "false" || i === args.length - 1) {
          this.#assign(target, operand, type);
          return; // those after one that is never null are never evaluated
        }
        if (operand.isNull === "true") continue;
        this.writer.block(`if (!${operand.isNull})`, () => {
          this.#assign(target, notNull(operand), type);
          this.writer.line(`break ${label};`);
        });
      }
    });
    return target;
  }

  /** A variable to be assigned on several ways. Zero and, if it may be null, null until then. */
  #variable(form: Form, nullable: boolean): Operand {
    const code = this.writer.name("v");
    const isNull = nullable ? this.writer.name("n") : "false";
    this.writer.line(`let ${code} = ${this.zero(form)};`);
    if (nullable) this.writer.line(`let ${isNull} = true;`);
    return { code, isNull, form };
  }

  #assign(target: Operand, value: Operand, type: SqlType): void {
    const fits = this.constrained(value, type);
    const converted = this.inForm(fits, target.form);
    this.writer.line(`${target.code} = ${converted.code};`);
    if (target.isNull !== "false") this.writer.line(`${target.isNull} = ${converted.isNull};`);
    else assert(converted.isNull === "false", "an expression said never to be null is not");
  }

  // ---- calls ----------------------------------------------------------------------------------------------------

  #call(expr: CallExpr): Operand {
    const { writer } = this;
    const info = functionInfo(expr.fn);
    assert(!info.volatile, "a plan calls no volatile function");
    const constant = constantCall(expr);
    if (constant !== null) return this.constant(constant);
    const membership = quantifiedMembership(expr);
    if (membership !== null) {
      const found = this.#membership(membership);
      return expr.fn === "any_eq" ? found : this.#not(found);
    }
    const args = expr.args.map((arg) => this.#expression(arg));
    if (!info.strict) return this.#nonStrict(expr, args);
    const nulls = [...new Set(args.map((a) => a.isNull).filter((n) => n !== "false"))];
    if (nulls.includes("true")) return this.nullOf(columnForm(expr.type));
    const types = expr.args.map(typeOf);
    if (nulls.length === 0) return this.#settled(this.#computed(expr.fn, args, expr.type, types));

    const argsNull = nulls.length === 1 ? nulls[0]! : writer.bind(nulls.join(" || "), "n");
    let computed: Computed | undefined;
    const { lines } = writer.capture(() =>
      writer.indented(() => {
        computed = this.#computed(expr.fn, args.map(notNull), expr.type, types);
      }),
    );
    const { code, form, isNull } = computed!;
    if (lines.length === 0 && isNull === undefined) {
      return { code: writer.bind(`${argsNull} ? ${this.zero(form)} : ${code}`), isNull: argsNull, form };
    }
    const value = writer.name("v");
    writer.line(`let ${value} = ${this.zero(form)};`);
    const ownNull = isNull === undefined ? argsNull : writer.name("n");
    if (isNull !== undefined) writer.line(`let ${ownNull} = true;`);
    writer.line(`if (!${argsNull}) {`);
    writer.append(lines);
    writer.line(`  ${value} = ${code};`);
    if (isNull !== undefined) writer.line(`  ${ownNull} = ${isNull};`);
    writer.line("}");
    return { code: value, isNull: ownNull, form };
  }

  #settled(computed: Computed): Operand {
    const { code, form, isNull = "false" } = computed;
    return { code: isName(code) ? code : this.writer.bind(code), isNull, form };
  }

  /** The function of arguments that are not null. */
  #computed(
    fn: CallExpr["fn"],
    args: readonly Operand[],
    type: SqlType,
    argTypes: readonly SqlType[],
  ): Computed {
    const emitter = emitters[fn];
    const given = emitter === undefined || takesStrings.has(fn) ? args : args.map((a) => this.identified(a));
    const computed = emitter?.(this, given, type, argTypes) ?? this.#general(fn, given, type, argTypes);
    if (type.precision === undefined) return computed;
    const fits = this.constrained({ isNull: "false", ...computed }, type);
    return computed.isNull === undefined ? { code: fits.code, form: fits.form } : { ...fits };
  }

  /** The library's function, on values. */
  #general(
    fn: CallExpr["fn"],
    args: readonly Operand[],
    type: SqlType,
    argTypes: readonly SqlType[],
  ): Computed {
    const info = functionInfo(fn);
    const name = this.writer.parameter(functionOf(fn, argTypes, type), fn);
    const result = this.writer.bind(`${name}(${args.map((a) => this.value(a)).join(", ")})`);
    if (callIsFallible(fn, numeric)) this.checkFault();
    return info.nullable ? this.#fromNullable(result, type) : this.fromValue(result, type);
  }

  #nonStrict(expr: CallExpr, args: readonly Operand[]): Operand {
    const values = args.map((a) =>
      a.isNull === "false" ? this.value(a) : a.isNull === "true" ? "null" : this.#nullableValue(a),
    );
    const name = this.writer.parameter(functionOf(expr.fn, expr.args.map(typeOf), expr.type), expr.fn);
    const result = this.writer.bind(`${name}(${values.join(", ")})`);
    if (functionInfo(expr.fn).fallible) this.checkFault();
    return this.#settled(this.#fromNullable(result, expr.type));
  }

  #nullableValue(arg: Operand): string {
    const value = this.writer.name("v");
    this.writer.line(`let ${value} = null;`);
    this.writer.block(`if (!${arg.isNull})`, () =>
      this.writer.line(`${value} = ${this.value(notNull(arg))};`),
    );
    return value;
  }

  #fromNullable(result: string, type: SqlType): Computed {
    const { writer } = this;
    const isNull = writer.bind(`${result} === null`, "n");
    const { lines, result: computed } = writer.capture(() => this.fromValue(result, type));
    assert(lines.length === 0, "reading a function's result is one expression");
    return {
      code: writer.bind(`${isNull} ? ${this.zero(computed.form)} : ${computed.code}`),
      form: computed.form,
      isNull,
    };
  }

  // ---- functions of the user ------------------------------------------------------------------------------------

  /** Name of the guard in the generated code: a loop with functions of the user runs in a region of it. */
  get guard(): string {
    return this.writer.parameter(this.runtime.guard, "guard");
  }

  /** Calls it with these values; the name of what it returned. */
  #invoke(call: UserFunction["call"], callee: Callee, given: readonly string[]): string {
    const { writer } = this;
    const returned = writer.name("returned");
    const name = writer.parameter(call, "call");
    const who = writer.parameter(callee, "callee");
    const failed = writer.parameter(userFailed, "userFailed");
    writer.line(`let ${returned};`);
    writer.line(`${this.guard}.running = ${who};`);
    writer.line(`try { ${returned} = ${name}(${given.join(", ")}); }`);
    writer.line(`catch (thrown) { ${failed}(thrown, ${who}); }`);
    writer.line(`${this.guard}.running = null;`);
    this.checkFault();
    return returned;
  }

  /** Puts what it returned into the target, which is null until then. */
  #fromJs(value: string, type: SqlType, callee: Callee, target: Operand): void {
    const { writer } = this;
    const { form } = target;
    writer.block(`if (${value} !== null && ${value} !== undefined)`, () => {
      const convert = writer.parameter(fromJs, "fromJs");
      const who = writer.parameter(callee, "callee");
      // Taking an object apart may call what the user has written, too.
      writer.line(`${this.guard}.running = ${who};`);
      const made = writer.bind(`${convert}(${value}, ${writer.parameter(type, "type")}, ${who})`);
      writer.line(`${this.guard}.running = null;`);
      this.checkFault();
      const interned = form.kind === "text" || form.kind === "numeric";
      const wide = form.kind === "int8" || form.kind === "scaled";
      const code = interned
        ? `${this.rt}.internText(${made})`
        : wide
          ? `${this.rt}.codeOfLoose(${made})`
          : made;
      writer.line(`${target.code} = ${code};`);
      if (target.isNull !== "false") writer.line(`${target.isNull} = false;`);
    });
  }

  #userValue(fn: UserFunction, type: SqlType): Operand {
    const rows = fn.rows.map((shape) => this.#rowObject(shape));
    const returned = this.#invoke(fn.call, ofView, rows);
    const target = this.#variable(columnForm(type), true);
    this.#fromJs(returned, type, ofView, target);
    return target;
  }

  #routine(expr: RoutineExpr): Operand {
    const { writer } = this;
    const { fn, type } = expr;
    const callee = calleeOf(fn);
    const args = expr.args.map((arg) => this.#expression(arg));
    const target = this.#variable(columnForm(type), nullableOf(expr));
    const call = () => {
      const given = args.map((arg, i) => {
        const { type: wanted, nullable } = fn.args[i]!;
        return this.#jsValue(this.inForm(nullable ? arg : notNull(arg), columnForm(wanted)), wanted);
      });
      const returned = this.#invoke(fn.call, callee, given);
      if (!fn.returns.nullable) {
        const refusal = writer.parameter(gaveNull(callee, type), "gaveNull");
        const fault = writer.parameter(leaveFault, "leaveFault");
        writer.line(`if (${returned} === null || ${returned} === undefined) ${fault}(${refusal});`);
        this.checkFault();
      }
      this.#fromJs(returned, type, callee, target);
    };
    const nulls = args.flatMap((arg, i) =>
      fn.args[i]!.nullable || arg.isNull === "false" ? [] : [arg.isNull],
    );
    if (nulls.length === 0) call();
    else writer.block(`if (!(${[...new Set(nulls)].join(" || ")}))`, call);
    return target;
  }

  #rowObject(shape: RowShape): string {
    const { writer } = this;
    const row = this.#current;
    const literal = () => {
      const properties = shape.fields.map(({ name, column }) => {
        const type = row.types[column]!;
        const value = this.#jsValue(this.#column(column, type, true), type);
        // In an object literal a plain __proto__ would set the prototype.
        return `${name === "__proto__" ? '["__proto__"]' : JSON.stringify(name)}: ${value}`;
      });
      return `Object.freeze({ ${properties.join(", ")} })`;
    };
    if (shape.presentColumn === null) return writer.bind(literal(), "row");
    const present = this.#column(shape.presentColumn, row.types[shape.presentColumn]!, true);
    const made = writer.name("row");
    writer.line(`let ${made} = null;`);
    writer.block(`if (${negated(present.isNull)})`, () => writer.line(`${made} = ${literal()};`));
    return made;
  }

  /** An operand's value as JavaScript sees it in a row. */
  #jsValue(arg: Operand, type: SqlType): string {
    const value = this.#jsValueOf(arg, type);
    return arg.isNull === "false" ? value : `${arg.isNull} ? null : ${value}`;
  }

  #jsValueOf(arg: Operand, type: SqlType): string {
    switch (type.name) {
      case "int4":
      case "int2":
      case "float8":
      case "float4":
      case "bool":
        return arg.code;
      case "int8":
        return `${this.rt}.looseInteger(${arg.code})`;
      case "timestamptz":
        return `${this.rt}.timestampJson(${arg.code})`;
      case "jsonb":
        return `${this.rt}.json(${arg.code})`;
      case "text":
        return `${this.rt}.text(${arg.code})`;
      case "numeric":
        return arg.form.kind === "scaled"
          ? `${this.rt}.scaledText(${arg.code}, ${arg.form.scale})`
          : `${this.rt}.text(${arg.code})`;
      default:
        return `${this.rt}.jsValue(${arg.code}, ${this.writer.parameter(type, "type")})`;
    }
  }
}
