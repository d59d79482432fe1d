/** CREATE TYPE ... AS ENUM, and which types DROP TYPE names. */
import type { Node } from "libpg-query";
import { utf8Length } from "../base/bytes.ts";
import { EvertError, notSupported } from "../base/errors.ts";
import { enumOf } from "../batch/types.ts";
import type { CreateTypeStatement } from "./statement-types.ts";
import { as, type NodeOf, stringOf } from "./tree.ts";

/** PostgreSQL's length of a name. */
const LABEL_BYTES_MAX = 63;

export function bindCreateEnum(node: NodeOf<"CreateEnumStmt">, text: string): CreateTypeStatement {
  const name = typeNameOf(node.typeName ?? []);
  const labels = (node.vals ?? []).map(stringOf);
  labels.forEach((label, i) => {
    if (utf8Length(label) > LABEL_BYTES_MAX) {
      throw new EvertError("invalid_name", `invalid enum label "${label}"`, {
        detail: `Labels must be ${LABEL_BYTES_MAX} bytes or less.`,
      });
    }
    if (labels.indexOf(label) === i) return;
    throw new EvertError("duplicate_table", `enum label "${label}" used more than once`, {
      sqlstate: "42710",
    });
  });
  if (labels.length === 0) throw notSupported("an enum without labels");
  return { kind: "createType", text, name, type: enumOf(name, labels) };
}

/** The name of a type in the only schema there is. */
export function typeNameOf(parts: readonly Node[]): string {
  const names = parts.map(stringOf);
  if (names.length === 1 || (names.length === 2 && names[0] === "public")) return names.at(-1)!;
  throw new EvertError("undefined_object", `schema "${names.at(-2)}" does not exist`, { sqlstate: "3F000" });
}

export function droppedType(node: Node): string {
  return typeNameOf(as(node, "TypeName")?.names ?? []);
}
