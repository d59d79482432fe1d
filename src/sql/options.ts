/** WITH (name = value, ...) of CREATE, and the options of EXPLAIN. */
import type { Node } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import type { BindContext } from "./context.ts";
import { as, stringOf } from "./tree.ts";

export interface Option {
  readonly name: string;
  readonly value: Node | undefined;
  readonly location: number | undefined;
}

export function optionsOf(nodes: readonly Node[] | undefined): Option[] {
  return (nodes ?? []).map((node) => {
    const { defname, defnamespace, arg, location } = as(node, "DefElem")!;
    const name = defnamespace === undefined ? (defname ?? "") : `${defnamespace}.${defname}`;
    return { name, value: arg, location };
  });
}

export function textOption(option: Option, ctx: BindContext): string {
  const text = written(option.value);
  if (text !== undefined) return text;
  throw new EvertError("invalid_argument", `option "${option.name}" needs a value`, {
    position: ctx.position(option.location),
  });
}

/** Without a value: on. */
export function boolOption(option: Option, ctx: BindContext): boolean {
  const text = option.value === undefined ? "true" : written(option.value)?.toLowerCase();
  if (text === "true" || text === "on" || text === "1") return true;
  if (text === "false" || text === "off" || text === "0") return false;
  throw new EvertError("invalid_argument", `${option.name} requires a Boolean value`, {
    sqlstate: "42601",
    position: ctx.position(option.location),
  });
}

function written(value: Node | undefined): string | undefined {
  const boolean = as(value, "Boolean");
  if (boolean !== undefined) return String(boolean.boolval ?? false);
  const integer = as(value, "Integer");
  if (integer !== undefined) return String(integer.ival ?? 0);
  const type = as(value, "TypeName");
  if (type !== undefined) return stringOf(type.names?.at(-1));
  return as(value, "String") === undefined ? as(value, "Float")?.fval : stringOf(value);
}
