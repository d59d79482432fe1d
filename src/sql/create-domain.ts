/** CREATE DOMAIN: a base type with constraints. One over another domain has the constraints of both, the inner ones first. */
import { EvertError, notSupported } from "../base/errors.ts";
import type { BindContext } from "./context.ts";
import { typeNameOf } from "./create-type.ts";
import { bindDefault, nextPlace } from "./declared-default.ts";
import { plainPlace } from "./expression.ts";
import { bindCheck } from "./in-domain.ts";
import { textOfCheck, textOfDefault } from "./kept-text.ts";
import { emptyScope } from "./scope.ts";
import type { CreateTypeStatement } from "./statement-types.ts";
import { as, type NodeOf } from "./tree.ts";
import { bindTypeName } from "./type-names.ts";

interface Check {
  readonly name: string;
  readonly text: string;
}

export function bindCreateDomain(
  node: NodeOf<"CreateDomainStmt">,
  text: string,
  ctx: BindContext,
): CreateTypeStatement {
  const name = typeNameOf(node.domainname ?? []);
  const type = bindTypeName(node.typeName!, ctx);
  const { domain: over, ...base } = type;
  const constraints = (node.constraints ?? []).map((n) => as(n, "Constraint")!);
  const checks: Check[] = [...(over?.checks ?? [])];
  const own: Check[] = [];
  let notNull: boolean | null = null;
  let fallback = over?.fallback;
  let declares = false;
  for (const constraint of constraints) {
    const position = ctx.position(constraint.location);
    switch (constraint.contype) {
      case "CONSTR_NULL":
      case "CONSTR_NOTNULL": {
        const says = constraint.contype === "CONSTR_NOTNULL";
        if (notNull !== null && notNull !== says)
          throw new EvertError("syntax_error", "conflicting NULL/NOT NULL constraints", { position });
        notNull = says;
        break;
      }
      case "CONSTR_CHECK": {
        const check = { name: constraint.conname ?? freeName(name, own), text: textOfCheck(constraint, ctx) };
        if (own.some((c) => c.name === check.name)) {
          const message = `constraint "${check.name}" for domain "${name}" already exists`;
          throw new EvertError("duplicate_table", message, { sqlstate: "42710", position });
        }
        bindCheck(check.text, base, plainPlace(ctx, emptyScope(), "CHECK"));
        own.push(check);
        break;
      }
      case "CONSTR_DEFAULT": {
        if (declares) throw new EvertError("syntax_error", "multiple default expressions", { position });
        declares = true;
        const end = nextPlace(node.constraints, constraint);
        bindDefault(constraint, end, name, base, ctx);
        fallback = textOfDefault(ctx.source.slice(constraint.location ?? 0, end));
        break;
      }
      case "CONSTR_PRIMARY":
        throw new EvertError("syntax_error", "primary key constraints not possible for domains", {
          position,
        });
      case "CONSTR_UNIQUE":
        throw new EvertError("syntax_error", "unique constraints not possible for domains", { position });
      default:
        throw notSupported("this constraint of a domain", position);
    }
  }
  // PostgreSQL asks a domain's constraints in the order of their names.
  checks.push(...own.sort((a, b) => (a.name < b.name ? -1 : 1)));
  const domain = {
    name,
    over: over?.name ?? null,
    notNull: over?.notNull === true || notNull === true,
    checks,
    ...(fallback === undefined ? {} : { fallback }),
  };
  return { kind: "createType", text, name, type: { ...base, domain } };
}

function freeName(domain: string, taken: readonly Check[]): string {
  for (let n = 0; ; n++) {
    const name = `${domain}_check${n === 0 ? "" : n}`;
    if (!taken.some((c) => c.name === name)) return name;
  }
}
