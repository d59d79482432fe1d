/** The names the shell completes and describes. */
import { inQuotes, quoteIdent } from "../base/quoted-name.ts";
import type { TopicMessage, TopicsAnswer, ViewMessage, ViewsAnswer } from "../client/protocol.ts";
import type { Remote } from "./remote.ts";
import { tableText } from "./tables.ts";

const keywords = (
  "SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET JOIN LEFT INNER ON USING AS AND OR NOT NULL IS IN BETWEEN LIKE " +
  "DISTINCT UNION ALL CASE WHEN THEN ELSE END CAST VALUES INSERT INTO UPDATE SET DELETE CREATE TABLE MATERIALIZED VIEW " +
  "INDEX DROP PRIMARY KEY WITH EXPLAIN CODE BEGIN COMMIT ROLLBACK count sum avg min max true false"
).split(" ");

/** A line, and the name in quotes that it ends within, if it does. */
const openQuote = /^(?:[^"']|'[^']*(?:'|$)|"[^"]*")*("[^"]*)?$/;

/** What there is on the server, for completion and \d. */
export class Names {
  readonly #remote: Remote;
  #relations: readonly (TopicMessage | ViewMessage)[] = [];
  /** Of relations and columns. */
  #names: readonly string[] = [];

  constructor(remote: Remote) {
    this.#remote = remote;
  }

  async refresh(): Promise<void> {
    const [{ topics }, { views }] = await Promise.all([
      this.#remote.get<TopicsAnswer>("/v1/topics"),
      this.#remote.get<ViewsAnswer>("/v1/views"),
    ]);
    this.#relations = [...topics, ...views];
    const names = new Set<string>();
    for (const relation of this.#relations) {
      names.add(relation.name);
      for (const column of relation.columns) names.add(column.name);
    }
    this.#names = [...names];
  }

  /** A name that means another without quotes comes with them, and so do all where the line has opened them. */
  complete(line: string): [string[], string] {
    const [, quoted] = openQuote.exec(line)!;
    const word = quoted ?? /[\p{L}\p{N}_$]*$/u.exec(line)![0];
    if (word === "") return [[], word];
    const lower = word.toLowerCase();
    const starts = (candidate: string): boolean => candidate.toLowerCase().startsWith(lower);
    const found =
      quoted === undefined
        ? [...keywords.filter(starts), ...this.#names.filter(starts).map(quoteIdent)]
        : this.#names.map(inQuotes).filter(starts);
    return [[...new Set(found)].sort(), word];
  }

  describe(name: string | undefined): string {
    const text = (...columns: string[]) => columns.map((column) => ({ name: column, type: "text" }));
    if (name === undefined) {
      const kind = (relation: TopicMessage | ViewMessage) => ("kind" in relation ? relation.kind : "view");
      const rows = this.#relations.map((r) => [r.name, kind(r), String(r.rows)]);
      return tableText([...text("name", "kind"), { name: "rows", type: "number" }], rows);
    }
    const relation = this.#relations.find((candidate) => candidate.name === name);
    if (relation === undefined) return `there is no topic or view ${name}`;
    const rows = relation.columns.map((column) => [
      column.name,
      column.declaredType,
      column.nullable ? "" : "not null",
      relation.key?.includes(column.name) ? "key" : "",
    ]);
    return tableText(text("column", "type", "", ""), rows);
  }
}
