/** Random expressions over `t (a int, b bigint, c float8, d numeric, e numeric(10,2), f bool, g text, h timestamptz)`. */
import fc from "fast-check";

/** A column, or a literal that may not fit. */
export const leaf = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h", "t.a", "t.g") },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "1",
      "2.5",
      "'1'",
      "'x'",
      "null",
      "true",
      "3000000000",
      "'2024-01-01'",
      "-1",
      "'t'",
    ),
  },
);

const types = fc.constantFrom(
  "int",
  "bigint",
  "float8",
  "numeric",
  "numeric(6,1)",
  "bool",
  "text",
  "timestamptz",
);

const numberPatterns = ["999.99", "FM990.0", "S9,999", "9.99PR", "0999MI"];

/** Expressions whose types mostly fit. `number`, `words`, `truth`, `moment`: what they give; `expr`: any of them, or nonsense. */
export const { expr, truth, number } = fc.letrec<
  Record<"number" | "words" | "truth" | "moment" | "expr", string>
>((tie) => {
  const [n, s, b, m, e] = [tie("number"), tie("words"), tie("truth"), tie("moment"), tie("expr")];
  const same = fc.oneof(fc.tuple(n, n), fc.tuple(s, s), fc.tuple(m, m), {
    weight: 1,
    arbitrary: fc.tuple(b, b),
  });
  const arithmetic = fc.constantFrom("+", "-", "*", "/", "%", "^");
  const comparison = fc.constantFrom("=", "<>", "<", ">=", "!=");
  const limits = { maxDepth: 4, depthSize: "small" } as const;
  const either = (x: fc.Arbitrary<string>) => [
    fc.tuple(b, x, x).map(([c, p, q]) => `case when ${c} then ${p} else ${q} end`),
    fc.tuple(b, x).map(([c, p]) => `case when ${c} then ${p} end`),
    fc.tuple(n, n, x).map(([c, p, q]) => `case ${c} when ${p} then ${q} end`),
    fc.tuple(x, x).map(([p, q]) => `coalesce(${p}, ${q})`),
    fc.tuple(x, x).map(([p, q]) => `nullif(${p}, ${q})`),
    fc.tuple(x, x, x).map(([p, q, r]) => `greatest(${p}, ${q}, ${r})`),
  ];
  return {
    number: fc.oneof(
      limits,
      {
        weight: 8,
        arbitrary: fc.constantFrom(
          "a",
          "b",
          "c",
          "d",
          "e",
          "t.a",
          "1",
          "2.5",
          "3000000000",
          "-1",
          "'1'",
          "null",
        ),
      },
      fc.tuple(n, arithmetic, n).map(([l, o, r]) => `(${l} ${o} ${r})`),
      fc
        .tuple(e, fc.constantFrom("int", "bigint", "float8", "numeric", "numeric(6,1)"))
        .map(([x, t]) => `(${x})::${t}`),
      fc
        .tuple(fc.constantFrom("abs", "round", "floor", "sqrt", "sign", "trunc", "ceil"), n)
        .map(([f, x]) => `${f}(${x})`),
      fc.tuple(n, n).map(([x, y]) => `round(${x}, ${y})`),
      n.map((x) => `- ${x}`),
      m.map((x) => `extract(hour from ${x})`),
      s.map((x) => `length(${x})`),
      fc
        .tuple(n, fc.constantFrom(...numberPatterns))
        .map(([x, p]) => `to_number(to_char(${x}, '${p}'), '${p}')`),
      fc
        .tuple(n, n)
        .map(
          ([x, y]) =>
            `jsonb_path_query_first(to_jsonb(${x}), '$ ? (@ > $v)', jsonb_build_object('v', ${y}))::numeric`,
        ),
      ...either(n),
    ),
    words: fc.oneof(
      limits,
      { weight: 6, arbitrary: fc.constantFrom("g", "t.g", "'x'", "null", "'t'") },
      fc.tuple(s, e).map(([l, r]) => `(${l} || ${r})`),
      fc.tuple(fc.constantFrom("lower", "upper", "btrim", "concat"), s).map(([f, x]) => `${f}(${x})`),
      fc.tuple(s, n).map(([x, y]) => `left(${x}, ${y})`),
      e.map((x) => `cast(${x} as text)`),
      fc.tuple(n, fc.constantFrom(...numberPatterns)).map(([x, p]) => `to_char(${x}, '${p}')`),
      fc
        .tuple(m, fc.constantFrom("YYYY-MM-DD HH24:MI:SS", "FMDDth Month", "IYYY-IW"))
        .map(([x, p]) => `to_char(${x}, '${p}')`),
      ...either(s),
    ),
    truth: fc.oneof(
      limits,
      { weight: 4, arbitrary: fc.constantFrom("f", "true", "null", "'t'") },
      fc.tuple(same, comparison).map(([[l, r], o]) => `(${l} ${o} ${r})`),
      fc.tuple(s, s).map(([l, r]) => `(${l} like ${r})`),
      fc.tuple(same, e).map(([[x, y], z]) => `(${x} in (${y}, ${z}))`),
      same.map(([x, y]) => `(${x} in (${y}, '1'))`),
      same.map(([x, y]) => `(${x} not between ${y} and ${x})`),
      same.map(([x, y]) => `(${x} is distinct from ${y})`),
      e.map((x) => `(${x} is not null)`),
      b.map((x) => `(${x} is not true)`),
      fc.tuple(b, b).map(([x, y]) => `(${x} and not ${y})`),
      e.map((x) => `(${x})::bool`),
    ),
    moment: fc.oneof(
      limits,
      {
        weight: 4,
        arbitrary: fc.constantFrom("h", "'2024-01-01'", "null", "timestamptz '2024-05-06 07:08'"),
      },
      m.map((x) => `date_trunc('day', ${x})`),
      m.map((x) => `to_timestamp(to_char(${x}, 'YYYY-MM-DD HH24:MI'), 'YYYY-MM-DD HH24:MI')`),
      e.map((x) => `(${x})::timestamptz`),
      ...either(m),
    ),
    expr: fc.oneof(
      limits,
      leaf,
      { weight: 5, arbitrary: n },
      { weight: 4, arbitrary: s },
      { weight: 4, arbitrary: b },
      { weight: 2, arbitrary: m },
      fc.tuple(e, arithmetic, e).map(([l, o, r]) => `(${l} ${o} ${r})`),
      fc.tuple(e, comparison, e).map(([l, o, r]) => `(${l} ${o} ${r})`),
      fc.tuple(e, types).map(([x, t]) => `(${x})::${t}`),
    ),
  };
});

export const aggregate = fc
  .tuple(fc.constantFrom("count", "sum", "avg", "min", "max"), expr)
  .map(([f, x]) => `${f}(${x})`);
