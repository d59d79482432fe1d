/**
 * SQL's door: loadParser() once, parseStatements(text), then bindStatement() for each in turn, as one may change the catalog for
 * the next. bindView() is the same for a view whose text is kept.
 */
export { type BindOptions, bindPlainView, bindStatement, bindView } from "./bind-statement.ts";
export { bindCheck, bindDomains } from "./constraints.ts";
export { paramFromJson, type SqlParam, StatementTime } from "./context.ts";
export { bindDefaults } from "./default-text.ts";
export { changedKeeping } from "./keeping-options.ts";
export { loadParser, type ParsedStatement, parseStatements } from "./parser.ts";
export { relationNames } from "./relation-names.ts";
export * from "./statement-types.ts";
export { refuseSurplusParams } from "./surplus-params.ts";
