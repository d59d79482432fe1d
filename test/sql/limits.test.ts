/** What a text may ask for: size, depth, columns, parameters. And that the parser outlives what overruns it. */
import { beforeAll, describe, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { nestingBound } from "../../src/sql/nesting.ts";
import {
  bindStatement,
  bindView,
  loadParser,
  paramFromJson,
  parseStatements,
  type Statement,
  StatementTime,
} from "../../src/sql/statement.ts";
import { textBehindAs } from "../../src/sql/tokens.ts";
import { refusal } from "../support/refusal.ts";
import { catalogOf } from "./catalog.ts";

beforeAll(loadParser);

const catalog = () => catalogOf("create table t (a int primary key, b text)");

function bind(sql: string, params: unknown[] = []): Statement {
  return bindStatement(parseStatements(sql)[0]!, catalog(), params.map(paramFromJson));
}

const deep: Record<string, (n: number) => string> = {
  parentheses: (n) => `select ${"(".repeat(n)}1${")".repeat(n)}`,
  "nested sums": (n) => `select ${"(1+".repeat(n)}1${")".repeat(n)}`,
  "a long sum": (n) => `select ${"1+".repeat(n)}1`,
  "a long concatenation": (n) => `select 'a'${" || 'a'".repeat(n)}`,
  negations: (n) => `select ${"not ".repeat(n)}true`,
  casts: (n) => `select 1${"::int".repeat(n)}`,
  tests: (n) => `select 1${" is null".repeat(n)}`,
  calls: (n) => `select ${"abs(".repeat(n)}1${")".repeat(n)}`,
  cases: (n) => `select ${"case when true then ".repeat(n)}1${" end".repeat(n)}`,
  unions: (n) => `select 1${" union all select 1".repeat(n)}`,
  joins: (n) => `select 1 from t${Array.from({ length: n }, (_, i) => ` join t t${i} using (a)`).join("")}`,
  subqueries: (n) => `select 1 from ${"(select 1 from ".repeat(n)}t${") x".repeat(n)}`,
  "alternating logic": (n) => `select 1 where ${"true and (true or ".repeat(n)}true${")".repeat(n)}`,
  "WITH in WITH": (n) => `${"with x as (".repeat(n)}select 1${") select 1".repeat(n)}`,
};

/** What one part of which stands in the whole several times, as it is computed. */
const doubling: Record<string, (n: number) => string> = {
  nullif: (n) => `select ${"nullif(".repeat(n)}a${", 1)".repeat(n)} from t`,
  "coalesce of nullif": (n) => `select ${"coalesce(nullif(".repeat(n)}a${", 1), 2)".repeat(n)} from t`,
  "between symmetric": (n) =>
    `select ${"(".repeat(n)}a${" between symmetric 1 and 2)::int".repeat(n)} from t`,
  in: (n) => `select ${"(".repeat(n)}a${" in (1, 2, 3))::int".repeat(n)} from t`,
};

describe("an expression that doubles with each level", () => {
  it.each(Object.entries(doubling))("of %s is refused where it becomes large", (_, make) => {
    expect(bind(make(3)).kind).toBe("select");
    // Written out the last has more nodes than there are atoms.
    for (const n of [30, 120]) {
      expect(refusal(() => bind(make(n)))).toMatchObject({
        code: "statement_too_complex",
        sqlstate: "54001",
        message: expect.stringMatching(/^(?:expression is too large|statement is nested too deeply)$/),
      });
    }
  });

  it("in a filter above queries stays above them", () => {
    const steps = Array.from(
      { length: 40 },
      (_, i) => `x${i + 1} as (select (s and not s) or (not s and s) as s from x${i})`,
    );
    expect(
      bind(`with x0 as (select a > 0 as s from t), ${steps.join(", ")} select s from x40 where s`).kind,
    ).toBe("select");
  });
});

describe("depth", () => {
  it.each(Object.entries(deep))("of %s is bounded", (_, make) => {
    for (const n of [600, 3000, 20_000, 60_000]) {
      const text = make(n);
      if (text.length > 1024 * 1024) continue;
      // Some survive 600; none ends in anything but an answer or this refusal.
      try {
        bind(text);
      } catch (error) {
        expect(error).toMatchObject({ code: "statement_too_complex" });
        continue;
      }
      expect(n).toBe(600);
    }
  });

  it.each(Object.entries(deep))("of a few %s is fine", (_, make) => {
    expect(bind(make(20)).kind).toBe("select");
  });

  it("is not what a long flat text has", () => {
    const rows = Array.from({ length: 3000 }, (_, i) => `(${i}, 'x' || ${i})`).join(", ");
    expect(bind(`insert into t values ${rows}`)).toMatchObject({
      source: { kind: "project", input: { kind: "values" } },
    });
    const list = Array.from({ length: 5000 }, (_, i) => i).join(", ");
    expect(bind(`select a from t where a in (${list})`).kind).toBe("select");
    const or = Array.from({ length: 3000 }, (_, i) => `a = ${i}`).join(" or ");
    expect(bind(`select a from t where ${or}`).kind).toBe("select");
    const cases = Array.from({ length: 400 }, (_, i) => `when a = ${i} then ${i}`).join(" ");
    expect(bind(`select case ${cases} end from t`).kind).toBe("select");
  });

  it("of what the tree is at most is never guessed too low", () => {
    const bound = (text: string) => nestingBound(text, 1000);
    expect(bound("select 1 + 2")).toBe(4);
    expect(bound("select (1), (2), (3)")).toBe(bound("select (1)"));
    expect(bound("select '(((' , \"(((\", $$((($$, $x$ (( $$ ($x$")).toBe(bound("select 'a'"));
    expect(bound("select /* (( /* ( */ */ -- ((\n 1")).toBe(bound("select 1 + 2"));
    expect(bound("select E'\\'((((' , 1")).toBe(bound("select E'a', 1"));
    expect(bound("select 'unterminated ((((")).toBe(2);
  });
});

describe("a parser that was overrun", () => {
  it("is replaced, and the next text is parsed", async () => {
    // From deep in the stack even a harmless text overruns it.
    const fromTheDepths = (): unknown => {
      try {
        return fromTheDepths();
      } catch (error) {
        if (error instanceof EvertError) throw error;
        return parseStatements(deep["a long sum"]!(400));
      }
    };
    let refused: EvertError | undefined;
    try {
      fromTheDepths();
    } catch (error) {
      refused = error as EvertError;
    }
    expect(refused?.code).toBe("statement_too_complex");
    await loadParser();
    expect(parseStatements("select 1; select 2").map((s) => s.text)).toEqual(["select 1", "select 2"]);
  });
});

describe("limits", () => {
  it("on the text", () => {
    expect(refusal(() => parseStatements(`select '${"x".repeat(1024 * 1024)}'`)).code).toBe(
      "statement_too_complex",
    );
    expect(parseStatements(`select '${"é".repeat(500_000)}'`)).toHaveLength(1);
    expect(refusal(() => parseStatements(`select '${"é".repeat(600_000)}'`)).code).toBe(
      "statement_too_complex",
    );
  });

  it("on its characters", () => {
    expect(refusal(() => parseStatements("select 1\0; drop table t"))).toMatchObject({
      code: "untranslatable_character",
      position: 9,
    });
    expect(refusal(() => parseStatements("select '\ud800'")).code).toBe("untranslatable_character");
  });

  it("on columns", () => {
    const list = (n: number) => Array.from({ length: n }, (_, i) => `a as c${i}`).join(", ");
    expect(bind(`select ${list(1600)} from t`).kind).toBe("select");
    expect(refusal(() => bind(`select ${list(1601)} from t`)).code).toBe("too_many_columns");
    const table = (n: number) =>
      `create table x (${Array.from({ length: n }, (_, i) => `c${i} int`).join(", ")})`;
    expect(refusal(() => bind(table(1601))).code).toBe("too_many_columns");
  });

  it("on what is sorted and grouped by", () => {
    const list = (n: number) => Array.from({ length: n }, (_, i) => `a + ${i}`).join(", ");
    for (const clause of ["group", "order"]) {
      expect(bind(`select 1 from t ${clause} by ${list(1600)}`).kind).toBe("select");
      expect(refusal(() => bind(`select 1 from t ${clause} by ${list(1601)}`)).sqlstate).toBe("54011");
    }
  });

  it("on arguments of a function", () => {
    const call = (n: number) => `select concat(${Array.from({ length: n }, () => "a").join(", ")}) from t`;
    expect(bind(call(100)).kind).toBe("select");
    expect(refusal(() => bind(call(101)))).toMatchObject({ sqlstate: "54023", position: 8 });
    expect(refusal(() => bind(call(101).replace("concat", "count"))).sqlstate).toBe("54023");
    expect(bind(call(101).replace("concat", "coalesce")).kind).toBe("select");
    expect(refusal(() => bind(`select 1 from generate_series(${Array(101).fill(1)})`)).sqlstate).toBe(
      "54023",
    );
  });

  it("on grouping sets and subqueries, of which each is a step or a join of its own", () => {
    const wide = catalogOf(
      `create table w (${Array.from({ length: 300 }, (_, i) => `c${i} int`).join(", ")})`,
    );
    const of = (sql: string) => () => bindStatement(parseStatements(sql)[0]!, wide);
    const list = (n: number) => Array.from({ length: n }, (_, i) => `c${i}`).join(", ");
    expect(of(`select count(*) from w group by cube (${list(8)})`)().kind).toBe("select");
    for (const sets of [`cube (${list(12)})`, `rollup (${list(300)})`])
      expect(refusal(of(`select count(*) from w group by ${sets}`))).toMatchObject({
        code: "statement_too_complex",
        message: "query is too large",
      });
    const subqueries = (n: number) => Array.from({ length: n }, () => "(select max(c0) from w)").join(", ");
    expect(of(`select ${subqueries(50)}`)().kind).toBe("select");
    expect(refusal(of(`select ${subqueries(300)}`)).message).toBe("query is too large");
    // Each of these reads the rows around it once more: twenty took 2^20 steps.
    const smaller = (n: number) =>
      Array.from({ length: n }, () => "w in (select w from w where c0 > 1)").join(", ");
    expect(of(`select ${smaller(3)} from w`)().kind).toBe("select");
    expect(refusal(of(`select ${smaller(40)} from w`)).message).toBe("query is too large");
    const exists = (n: number) =>
      Array.from({ length: n }, () => "exists (select 1 from w x where x.c0 = w.c0)").join(" or ");
    expect(refusal(of(`select 1 from w where ${exists(1000)}`)).code).toBe("statement_too_complex");
  });

  it("on parameters", () => {
    expect(refusal(() => bind("select 1", Array(65_536).fill(1))).code).toBe("statement_too_complex");
    expect(bind("select $1", Array(65_535).fill(1)).kind).toBe("select");
  });

  it("on plans that multiply by WITH", () => {
    const steps = Array.from(
      { length: 40 },
      (_, i) => `q${i + 1} as (select x.a from q${i} x join q${i} y using (a))`,
    );
    const sql = `with q0 as (select a from t), ${steps.join(", ")} select * from q40`;
    expect(refusal(() => bind(sql))).toMatchObject({
      code: "statement_too_complex",
      message: "query is too large",
    });
  });
});

describe("parameters", () => {
  const types = (statement: Statement) =>
    statement.kind === "select" ? statement.query.plan.schema.fields.map((f) => f.type.name) : [];

  it("take the type their first use gives them", () => {
    expect(types(bind("select $1, $1 + 1, $2 || 'x', $3::numeric", [5, "a", 1.5]))).toEqual([
      "int4",
      "int4",
      "text",
      "numeric",
    ]);
    expect(refusal(() => bind("select $1 + 1, $1 || 'x', $1 = 'a'", ["a"])).code).toBe(
      "invalid_text_representation",
    );
  });

  it("are JSON values", () => {
    const filter = bind("select a from t where $1 and b = $2 and a > $3", [true, "x", null]);
    expect(filter.kind).toBe("select");
    expect(refusal(() => bind("select a from t where a = $1", ["x"]))).toMatchObject({ sqlstate: "22P02" });
  });

  it("may stand in a view kept as text, not in CREATE VIEW", () => {
    expect(bindView("select a from t where a > $1", ["x"], catalog(), [3]).plan.schema.fields[0]!.name).toBe(
      "x",
    );
    expect(refusal(() => bind("create view v as select a from t where a > $1", [3])).sqlstate).toBe("42P02");
    expect(refusal(() => bindView("select a from t; select 1", null, catalog())).code).toBe("syntax_error");
    expect(refusal(() => bindView("delete from t", null, catalog())).code).toBe("syntax_error");
    expect(refusal(() => bindView("select now()", null, catalog()))).toMatchObject({
      sqlstate: "0A000",
      position: 8,
    });
  });
});

describe("now()", () => {
  it("is one moment for the whole statement, where there is one", () => {
    const parsed = parseStatements("select now(), current_timestamp, '2024-01-01' < now()")[0]!;
    const statement = bindStatement(parsed, catalog(), [], {
      time: new StatementTime(1_700_000_000_000_000n),
    });
    expect(statement).toMatchObject({
      query: { plan: { exprs: [{ value: 1_700_000_000_000_000n }, { value: 1_700_000_000_000_000n }, {}] } },
    });
  });
});

describe("a statement's text and place", () => {
  it("leaves out what surrounds it, and counts characters", () => {
    const parsed = parseStatements("/* é */ select 'é' ;\n-- x\n  /* y */ select nope from t -- z\n;;");
    expect(parsed.map((p) => [p.text, p.position])).toEqual([
      ["select 'é'", 9],
      ["select nope from t -- z", 37],
    ]);
    expect(refusal(() => bindStatement(parsed[1]!, catalog())).position).toBe(44);
  });

  it("of a view's query begins behind its AS", () => {
    expect(textBehindAs('create view "as" (a, "b as") as select 1 as x')).toBe("select 1 as x");
    expect(textBehindAs("create materialized view v with (version = 'as') AS\n select 1 with data ")).toBe(
      "select 1",
    );
  });
});

describe("joins", () => {
  const list = (n: number) =>
    `select count(*) from ${Array.from({ length: n }, (_, i) => `t t${i}`).join(", ")}`;
  const chain = (n: number) =>
    `${list(n)} where ${Array.from({ length: n - 1 }, (_, i) => `t${i}.a = t${i + 1}.a`).join(" and ")}`;

  it.each([
    ["listed", chain],
    ["crossed", list],
    ["written out", deep["joins"]!],
  ])("a thousand of them, %s, are refused", (_, make) => {
    expect(refusal(() => bind(make(1000)))).toMatchObject({
      code: "statement_too_complex",
      sqlstate: "54001",
    });
  });

  it("as many as may stand in a FROM list are planned, and one more is told where it stands", () => {
    expect(bind(chain(256)).kind).toBe("select");
    const error = refusal(() => bind(chain(257)));
    expect(error.hint).toContain("materialized view");
    expect(chain(257).slice(error.position! - 1)).toMatch(/^t t256 where/);
  });
});
