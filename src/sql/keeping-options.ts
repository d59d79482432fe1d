/** What a table keeps: WITH (retain_for = …) of CREATE TABLE, and ALTER TABLE … SET and RESET of the same. */
import { EvertError } from "../base/errors.ts";
import { byteCount, durationUs, type Keeping, TOMBSTONES_FOR_US } from "../plan/keeping.ts";
import type { BindContext } from "./context.ts";
import { boolOption, type Option, optionsOf, textOption } from "./options.ts";
import type { AlterKeepingStatement, KeepingChange } from "./statement-types.ts";
import { as, type NodeOf } from "./tree.ts";

export const KEEPING_OPTIONS: readonly string[] = [
  "retain_for",
  "retain_bytes",
  "compact",
  "tombstones_for",
  "despite_views",
  "dead_letters",
];

/** Null: the option is another one. */
export function keepingOption(option: Option, ctx: BindContext): KeepingChange | null {
  const placed = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof EvertError) || error.position !== undefined) throw error;
      const { code, message, detail, hint } = error;
      throw new EvertError(code, message, {
        detail,
        hint,
        position: ctx.position(option.location),
        cause: error,
      });
    }
  };
  switch (option.name) {
    case "retain_for":
      return placed(() => ({ retainForUs: durationUs(option.name, textOption(option, ctx)) }));
    case "retain_bytes":
      return placed(() => ({ retainBytes: byteCount(option.name, textOption(option, ctx)) }));
    case "compact":
      return { tombstonesForUs: boolOption(option, ctx) ? TOMBSTONES_FOR_US : null };
    case "tombstones_for":
      return placed(() => ({ tombstonesForUs: durationUs(option.name, textOption(option, ctx)) }));
    case "despite_views":
      return { despiteViews: boolOption(option, ctx) };
    default:
      return null;
  }
}

/** The stream that a table's dead letters go to; undefined: nothing is said of it. */
export function deadLettersOption(options: readonly Option[], ctx: BindContext): string | undefined {
  const option = options.findLast(({ name }) => name === "dead_letters");
  return option === undefined ? undefined : textOption(option, ctx);
}

/** Several options, in any order: `compact` says no more than `tombstones_for` beside it. */
export function keepingOptions(options: readonly Option[], ctx: BindContext): KeepingChange {
  const said = new Map(options.map((option) => [option.name, keepingOption(option, ctx)]));
  const compact = said.get("compact");
  const ordered = [...said].filter(([name]) => name !== "compact").map(([, change]) => change);
  return Object.assign({}, compact, ...ordered);
}

/** What a change leaves of what was. */
export function changedKeeping(before: Keeping | undefined, change: KeepingChange): Keeping | undefined {
  const all = Object.entries({ ...before, ...change }).filter(
    ([, value]) => value !== null && value !== false,
  );
  return all.length === 0 ? undefined : Object.fromEntries(all);
}

const RESETS: Readonly<Record<string, KeepingChange>> = {
  retain_for: { retainForUs: null },
  retain_bytes: { retainBytes: null },
  compact: { tombstonesForUs: null },
  tombstones_for: { tombstonesForUs: TOMBSTONES_FOR_US },
  despite_views: { despiteViews: null },
};

/** ALTER TABLE t SET (…) and RESET (…), any number of them; null: it says something else as well. */
export function bindAlterKeeping(
  node: NodeOf<"AlterTableStmt">,
  text: string,
  ctx: BindContext,
): AlterKeepingStatement | null {
  if (node.objtype !== "OBJECT_TABLE") return null;
  let change: KeepingChange = {};
  let deadLetters: string | null | undefined;
  for (const wrapped of node.cmds ?? []) {
    const command = as(wrapped, "AlterTableCmd");
    const isReset = command?.subtype === "AT_ResetRelOptions";
    if (!isReset && command?.subtype !== "AT_SetRelOptions") return null;
    const options = optionsOf(as(command?.def, "List")?.items);
    for (const option of options)
      if (!KEEPING_OPTIONS.includes(option.name)) throw unknownOption(option, ctx);
    const said = isReset
      ? Object.assign({}, ...options.map(({ name }) => RESETS[name]))
      : keepingOptions(options, ctx);
    change = { ...change, ...said };
    if (isReset && options.some(({ name }) => name === "dead_letters")) deadLetters = null;
    if (!isReset) deadLetters = deadLettersOption(options, ctx) ?? deadLetters;
  }
  return {
    kind: "alterKeeping",
    text,
    name: node.relation?.relname ?? "",
    ifExists: node.missing_ok ?? false,
    change,
    deadLetters,
  };
}

export function unknownOption(option: Option, ctx: BindContext): EvertError {
  return new EvertError("invalid_argument", `unrecognized parameter "${option.name}"`, {
    position: ctx.position(option.location),
    hint: `A table knows append_only, which is said when it is made, and ${KEEPING_OPTIONS.join(", ")}.`,
  });
}
