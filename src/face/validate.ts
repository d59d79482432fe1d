/** Records against the Standard Schema their topic was declared with: what columns cannot say (formats, ranges, defaults). */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { EvertError } from "../base/errors.ts";
import { JsonNumber } from "../batch/lossless-json.ts";
import { firstStep, propertyStep, ValueError } from "../batch/value-error.ts";
import type { AnyTopic } from "./handles.ts";

/**
 * The record as the schema gives it back, defaults filled in; the record itself for a topic of plain columns.
 * @throws EvertError invalid_value with the path of the first value the schema refuses.
 */
export function checkedRecord(topic: AnyTopic, record: unknown): unknown {
  if (topic.standard === null) return record;
  const result = topic.standard["~standard"].validate(withPlainNumbers(record));
  if (result instanceof Promise) {
    throw new EvertError(
      "invalid_table_definition",
      `the schema of "${topic.name}" checks its values asynchronously`,
      {
        hint: "Use a schema that answers at once: a record's place in the log is decided when it is appended.",
      },
    );
  }
  if (result.issues === undefined) return result.value;
  const [issue] = result.issues;
  throw new ValueError("invalid_value", pathOf(issue?.path ?? []), issue?.message ?? "refused by the schema");
}

/** Numbers kept as text (1.50 of a JSON body) as the numbers a schema knows. The value itself where there are none. */
function withPlainNumbers(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof JsonNumber) return Number(value.text);
  if (Array.isArray(value)) {
    const items = value.map(withPlainNumbers);
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  const entries = Object.entries(value);
  const plain = entries.map(([name, item]) => [name, withPlainNumbers(item)] as const);
  if (plain.every(([, item], i) => item === entries[i]![1])) return value;
  return Object.fromEntries(plain);
}

type Step = NonNullable<StandardSchemaV1.Issue["path"]>[number];

function pathOf(path: readonly Step[]): string {
  const keys = path.map((step) => (typeof step === "object" ? step.key : step));
  return firstStep(
    keys.map((key) => (typeof key === "number" ? `[${key}]` : propertyStep(String(key)))).join(""),
  );
}
