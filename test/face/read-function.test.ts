import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { float8, int4, int8, text } from "../../src/batch/types.ts";
import { type InputRow, readElements, readFunction } from "../../src/face/read-function.ts";
import { guessOf, isPlainObject, isPlainScalar, type Value } from "../../src/face/value.ts";

const left: InputRow = {
  columns: [
    { name: "id", type: int8, nullable: false, column: 0 },
    { name: "name", type: text, nullable: true, column: 1 },
    { name: "size", type: int4, nullable: false, column: 2 },
  ],
  presentColumn: null,
};
const right: InputRow = {
  columns: [
    { name: "id", type: int8, nullable: true, column: 3 },
    { name: "rate", type: float8, nullable: true, column: 4 },
  ],
  presentColumn: 3,
};

/** The function written as `text`: tests state exactly what is read, whatever compiled this file. */
function code(text: string): (...rows: unknown[]) => unknown {
  return new Function(`return (${text}\n)`)() as (...rows: unknown[]) => unknown;
}

const read = (text: string) => readFunction(code(text), [left, right]);

/** A plain value computed as the plan would: from the columns. */
function evaluatePlain(value: Value, columns: readonly unknown[]): unknown {
  if (value.kind === "column") return columns[value.column.column];
  if (value.kind === "constant") return value.value;
  if (value.kind !== "object") throw new Error("not plain");
  return Object.fromEntries([...value.properties].map(([name, v]) => [name, evaluatePlain(v, columns)]));
}

describe("what is never called", () => {
  const cases = [
    "(l) => l.id",
    "(l) => l['name']",
    "(l) => { return l.size }",
    "function (l) { return l.size; }",
    "function named(l) { return l.size; }",
    "({ id }) => id",
    "({ id: x }) => x",
    "(l) => ({ a: l.id, b: l.name })",
    "(l) => ({ ...l })",
    "(l) => ({ ...l, id: l.size })",
    "(l) => ({ id: l.size, ...l })",
    "(l) => ({ ...l, extra: 'x', n: 1, f: 1.5, neg: -2, t: true, nil: null, undef: undefined })",
    "({ id, ...rest }) => rest",
    "({ name, ...rest }) => ({ ...rest, who: name })",
    "(l) => l",
    "(_, r) => r?.rate",
    "(l, r) => ({ id: l.id, rate: r?.rate })",
    "(l, r) => ({ name: l.name, ...r })",
    "(l) => ({ ...null, ...undefined, a: l.id })",
    "(l) => ({ 'quoted name': l.id, `b`: 1 })".replace("`b`", '"b"'),
    "(l) => ({ a: `plain` })",
  ];

  it.each(cases)("%s", (text) => {
    const { value, plain } = read(text);
    expect(plain && (isPlainScalar(value) || isPlainObject(value))).toBe(true);
  });

  it("gives what the function would have given", () => {
    const row = fc.record({ id: fc.integer(), name: fc.option(fc.string()), size: fc.integer() });
    const other = fc.option(fc.record({ id: fc.integer(), rate: fc.double({ noNaN: true }) }));
    fc.assert(
      fc.property(fc.constantFrom(...cases), row, other, (text, l, r) => {
        const columns = [l.id, l.name, l.size, r?.id ?? null, r?.rate ?? null];
        const said = evaluatePlain(read(text).value, columns);
        const given = code(text)(Object.freeze(l), r && Object.freeze(r));
        // A property that is missing or undefined is stored as null.
        const nulled = (o: object) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, v ?? null]));
        if (typeof given !== "object" || given === null) expect(said).toEqual(given ?? null);
        else expect(said).toEqual({ ...nulledMissing(said as object), ...nulled(given) });
      }),
    );
  });

  /** Columns the spread of a null row leaves out. */
  function nulledMissing(said: object): object {
    return Object.fromEntries(Object.entries(said).filter(([, v]) => v === null));
  }
});

describe("what is called", () => {
  it.each([
    ["(l) => l.id + 1", "float8"],
    ["(l) => l.name ?? 'none'", "text"],
    ["(l) => l.size && l.id", "int8"],
    ["(l) => l.name.toLowerCase()", "text"],
    ["(l) => l.name.length", "int4"],
    ["(l) => l.name.slice(1)", "text"],
    [`(l) => \`\${l.name}\``, "text"],
    ["(l) => 'a' + l.id", "text"],
    ["(l) => l.size > 3", "bool"],
    ["(l) => !l.size", "bool"],
    ["(l) => typeof l.size", "text"],
    ["(l) => l.size > 3 ? l.size : l.id", "int8"],
    ["(l) => l.size > 3 ? 1 : 0.5", "float8"],
    ["(l) => l.size > 3 ? l.name : l.id", "unknown"],
    ["(l) => Math.round(l.size / 2)", "float8"],
    ["(l) => new Date(l.name).toISOString()", "text"],
    ["(l) => new Date(l.name).getUTCHours()", "float8"],
    ["(l) => lookup(l.id)", "unknown"],
    ["(l) => (l.size, l.id)", "unknown"],
    ["(l) => 10n", "unknown"],
    ["(l, r) => r.rate", "float8"],
    ["(l, { rate }) => rate", "float8"],
    ["(l = {}) => l.id", "unknown"],
    ["(...rows) => rows[0].id", "unknown"],
    ["(l) => { if (l.id > 3) return l.id; return l.size; }", "int8"],
    ["(l) => { const twice = l.size * 2; return twice; }", "float8"],
    ["(l) => { check(l); return l.id; }", "int8"],
    ["(l) => { let l2 = l; return l2.id; }", "unknown"],
    ["(l) => { l = other; return l.id; }", "unknown"],
    ["(l) => { { const x = l.id; } const x = l.name; return x; }", "unknown"],
  ])("%s is %s", (text, type) => {
    const { value, plain } = read(text);
    expect(plain && isPlainScalar(value)).toBe(false);
    const guess = guessOf(value);
    expect(typeof guess === "object" ? guess.type.name : guess).toBe(type);
  });

  it("keeps the names where every return is one object literal, and only then", () => {
    const names = (text: string) => {
      const { value } = read(text);
      return value.kind === "object" ? [...value.properties.keys()] : null;
    };
    expect(names("(l) => l.id > 3 ? { a: 1, b: 2 } : { b: l.id, a: l.id }")).toEqual(["a", "b"]);
    expect(names("(l) => { if (l.id) return { a: 1 }; return { a: f() }; }")).toEqual(["a"]);
    expect(names("(l) => { const c = l.id * 2; return { id: l.id, c }; }")).toEqual(["id", "c"]);
    expect(names("(l) => ({ ...f(l), a: 1 })")).toBeNull();
    expect(names("(l) => ({ [l.name]: 1 })")).toBeNull();
    expect(names("(l) => ({ get a() { return 1 } })")).toBeNull();
    expect(names("(l) => ({ __proto__: l, a: 1 })")).toBeNull();
    expect(names("(l) => l.id > 3 ? { a: 1 } : { b: 1 }")).toBeNull();
    expect(names("(l) => { if (l.id) return { a: 1 }; return; }")).toBeNull();
    expect(names("(l) => Object.assign({}, l)")).toBeNull();
  });

  it("keeps what was there where a null row is spread over it", () => {
    const { value } = read("(l, r) => ({ ...l, ...r })");
    if (value.kind !== "object") throw new Error("no object");
    expect(isPlainObject(value)).toBe(false);
    expect([...value.properties.keys()]).toEqual(["id", "name", "size", "rate"]);
  });

  it("reads nothing from native and bound functions, and methods like functions", () => {
    expect(readFunction(Math.max, [left]).value).toEqual({ kind: "computed", guess: "unknown" });
    expect(readFunction(code("(l) => l.id").bind(null), [left]).plain).toBe(false);
    const holder = {
      pick(l: { id: number }) {
        return l.id;
      },
    };
    expect(readFunction(holder.pick, [left]).plain).toBe(true);
  });
});

describe("the elements of an iterable", () => {
  it.each([
    ["(l) => [{ a: l.id }, { a: l.size }]", ["a"]],
    ["(l) => [...l.name].map((c) => ({ c, id: l.id }))", ["c", "id"]],
    ["(l) => l.name?.split(' ').flatMap((w) => [{ w }])", ["w"]],
    ["(l) => l.id ? [{ a: 1 }] : []", ["a"]],
    ["(l) => { return [{ a: 1 }]; }", ["a"]],
    ["function* (l) { yield { a: 1 }; yield* [{ a: 2 }]; }", ["a"]],
    ["(l) => l.name.split(' ').map(function (w) { return { w }; })", ["w"]],
    ["(l) => f(l)", null],
    ["function* (l) { yield* f(l); }", null],
    ["(l) => [{ a: 1 }, { b: 1 }]", null],
  ])("%s", (text, names) => {
    const { value } = readElements(code(text), [left]);
    expect(value.kind === "object" ? [...value.properties.keys()] : null).toEqual(names);
  });

  it("does not take a callback's parameter for the row", () => {
    const { value } = readElements(code("(l) => l.tags.map((l) => ({ id: l.id }))"), [
      {
        ...left,
        columns: [...left.columns, { name: "tags", type: { name: "jsonb" }, nullable: false, column: 5 }],
      },
    ]);
    if (value.kind !== "object") throw new Error("no object");
    expect(value.properties.get("id")).toEqual({ kind: "computed", guess: "unknown" });
  });
});

describe("the rows a function is handed", () => {
  const fields = (text: string) => read(text).fn.rows.map((row) => row.fields.map((f) => f.name));
  it.each([
    ["(l) => l.id > l.size", [["id", "size"], []]],
    ["(l, r) => l.id === r?.id", [["id"], ["id"]]],
    ["({ name }) => name === 'x'", [["name"], []]],
    ["(l) => f(l)", [["id", "name", "size"], []]],
    ["(l) => l[key]", [["id", "name", "size"], []]],
    ["(l) => ({ ...l, a: f() })", [["id", "name", "size"], []]],
    ["({ id, ...rest }) => f(rest)", [["id", "name", "size"], []]],
    ["(l) => [1].map(() => l.id)", [["id"], []]],
    ["(l) => ({ l: 1, x: other.l, y: l.id + 1 })", [["id"], []]],
    ["(l) => f({ l })", [["id", "name", "size"], []]],
    [
      "function (l) { return arguments[1].id; }",
      [
        ["id", "name", "size"],
        ["id", "rate"],
      ],
    ],
    [
      "(...all) => f(all)",
      [
        ["id", "name", "size"],
        ["id", "rate"],
      ],
    ],
    [
      "(l, r = l) => r.id",
      [
        ["id", "name", "size"],
        ["id", "rate"],
      ],
    ],
  ])("%s", (text, expected) => {
    expect(fields(text)).toEqual(expected);
  });
});
