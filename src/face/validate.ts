/** Records against the Standard Schema their topic was declared with: what columns cannot say (formats, ranges, defaults). */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { EvertError } from "../base/errors.ts";
import { firstStep, propertyStep, ValueError } from "../batch/value-error.ts";
import type { AnyTopic } from "./handles.ts";

/**
 * The record as the schema gives it back, defaults filled in; the record itself for a topic of plain columns.
 * @throws EvertError invalid_value with the path of the first value the schema refuses.
 */
export function checkedRecord(topic: AnyTopic, record: unknown): unknown {
  if (topic.standard === null) return record;
  const result = topic.standard["~standard"].validate(record);
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

type Step = NonNullable<StandardSchemaV1.Issue["path"]>[number];

function pathOf(path: readonly Step[]): string {
  const keys = path.map((step) => (typeof step === "object" ? step.key : step));
  return firstStep(
    keys.map((key) => (typeof key === "number" ? `[${key}]` : propertyStep(String(key)))).join(""),
  );
}
