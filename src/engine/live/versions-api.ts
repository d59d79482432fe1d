/** Versions of views as servers see them. */
import { EvertError } from "../../base/errors.ts";
import { inQuotes } from "../../base/quoted-name.ts";
import { parseJson } from "../../batch/lossless-json.ts";
import { parseStatements } from "../../sql/statement.ts";
import type { SqlOptions, SqlResponse, VersionDiff, VersionsApi, ViewInfo } from "../api.ts";
import type { Core } from "../core.ts";
import { infoOf } from "./view-info.ts";
import { nextVersion, noVersion, promoteVersion, rollBack, versionsOf } from "./view-versions.ts";

type RunSql = (text: string, options?: SqlOptions) => Promise<SqlResponse>;

/** `sql` runs statements. */
export function versionsApi(core: Core, sql: RunSql): VersionsApi {
  return {
    list: (view) =>
      versionsOf(core, view).map(({ version, name, isCurrent, isPrevious }) => ({
        version,
        isCurrent,
        isPrevious,
        info: { ...infoOf(core, core.views.named(name)), name },
      })),

    async build(view, select, version = nextVersion(core, view)) {
      versionsOf(core, view);
      const name = `${view}@${version}`;
      const text = `CREATE MATERIALIZED VIEW ${inQuotes(name)} AS ${select}`;
      if (parseStatements(text).length !== 1) {
        throw new EvertError("invalid_request", "a version of a view is one SELECT");
      }
      const { error, position } = await sql(text);
      if (error !== undefined) throw EvertError.from(error);
      return { version, name, position };
    },

    promote: async (view, version) => ({ position: await promoteVersion(core, view, version), version }),

    rollback: (view) => rollBack(core, view),

    diff: (view, from, to, rowsMax) => diff(core, sql, view, [from, to], rowsMax),
  };
}

/**
 * One query answers at one position: what is in one and not in the other, on both sides, put together by key where both have the same.
 * @throws EvertError where the versions share no column that can be compared.
 */
async function diff(
  core: Core,
  sql: RunSql,
  view: string,
  [from, to]: readonly [number, number],
  rowsMax: number,
): Promise<VersionDiff> {
  const infos = [from, to].map((version): ViewInfo => {
    const found = versionsOf(core, view).find((v) => v.version === version);
    if (found === undefined) throw noVersion(core, view, version);
    return infoOf(core, core.views.named(found.name));
  });
  const [left, right] = infos as [ViewInfo, ViewInfo];
  const names = left.schema.fields.map((f) => f.name);
  const others = right.schema.fields.map((f) => f.name);
  const shared = names.filter((name) => others.includes(name));
  if (shared.length === 0) {
    throw new EvertError("datatype_mismatch", `versions ${from} and ${to} of view "${view}" share no column`);
  }
  const sameKey = left.key !== null && JSON.stringify(left.key) === JSON.stringify(right.key);
  // Compared row by row, where there is no key: what differs is in one and not in the other.
  const key = sameKey ? (left.key as readonly string[]) : null;
  const columns = shared.map(inQuotes).join(", ");
  const rowsOf = (version: number): string => `SELECT ${columns} FROM ${inQuotes(`${view}@${version}`)}`;
  const on = key === null ? "false" : key.map((c) => `l.${inQuotes(c)} = r.${inQuotes(c)}`).join(" AND ");
  const side = (alias: string): string => shared.map((c) => `${alias}.${inQuotes(c)}`).join(", ");
  const joined =
    `FROM (SELECT true AS there, d.* FROM (${rowsOf(from)} EXCEPT ALL ${rowsOf(to)}) d) l ` +
    `FULL JOIN (SELECT true AS there, d.* FROM (${rowsOf(to)} EXCEPT ALL ${rowsOf(from)}) d) r ON ${on}`;
  const { results, error, position } = await sql(
    `SELECT count(*) FILTER (WHERE r.there IS NULL) OVER (), count(*) FILTER (WHERE l.there IS NULL) OVER (), ` +
      `count(*) OVER (), l.there, r.there, ${side("l")}, ${side("r")} ${joined} LIMIT ${Math.max(1, rowsMax)}`,
  );
  if (error !== undefined) throw EvertError.from(error);
  const rows = (results[0]?.rowsJson ?? []).map((text) => parseJson(text) as unknown[]);
  const [onlyFrom = 0, onlyTo = 0, all = 0] = (rows[0] ?? []) as number[];
  const named = (values: unknown[]): Record<string, unknown> =>
    Object.fromEntries(shared.map((name, i) => [name, values[i]]));
  return {
    position,
    onlyFrom,
    onlyTo,
    differing: all - onlyFrom - onlyTo,
    columnsOnlyFrom: names.filter((name) => !shared.includes(name)),
    columnsOnlyTo: others.filter((name) => !shared.includes(name)),
    rows: rows.slice(0, rowsMax).map((row) => ({
      from: row[3] === true ? named(row.slice(5, 5 + shared.length)) : null,
      to: row[4] === true ? named(row.slice(5 + shared.length)) : null,
    })),
  };
}
