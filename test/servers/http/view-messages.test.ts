/**
 * A view and an operator are described in three places, on purpose: by the engine, whose form may change with it, by the messages of the wire, which are a
 * contract, and in the OpenAPI document. The types here hold the first two side by side when `tsc` runs, and list the fields of the third.
 */
import { expect, test } from "vitest";
import type { OperatorInfo, ViewInfo } from "../../../src/engine/api.ts";
import { openApiDocument } from "../../../src/servers/http/openapi.ts";
import type { OperatorMessage, ViewMessage } from "../../../src/wire/http/messages.ts";

/** True if two types are the same, with what may be absent and what is read-only; an error of the compiler otherwise. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : ["not the same", A, B];

/** What the message says in words of its own: columns for the schema, and the order by their names. */
type Told = "columns" | "order";

const operators: Same<OperatorMessage, OperatorInfo> = true;
const views: Same<
  Omit<ViewMessage, Told | "operators">,
  Omit<ViewInfo, "schema" | "order" | "operators">
> = true;
const viewFields: Same<keyof ViewMessage, Exclude<keyof ViewInfo, "schema"> | "columns"> = true;
const operatorsOfViews: Same<ViewMessage["operators"], readonly OperatorMessage[] | undefined> = true;

const ofView: Record<keyof ViewMessage, "always" | "sometimes"> = {
  name: "always",
  status: "always",
  columns: "always",
  key: "always",
  order: "always",
  rows: "always",
  stateBytes: "always",
  coldBytes: "always",
  rowsIn: "always",
  rowsOut: "always",
  stepSeconds: "always",
  position: "always",
  lag: "always",
  progress: "always",
  errors: "always",
  skipped: "always",
  definition: "always",
  error: "sometimes",
  sinkError: "sometimes",
  operators: "sometimes",
};
const ofOperator: Record<keyof OperatorMessage, "always"> = {
  operator: "always",
  plan: "always",
  inputs: "always",
  role: "always",
  rowsIn: "always",
  rowsOut: "always",
  rows: "always",
  stateBytes: "always",
  coldBytes: "always",
  steps: "always",
  seconds: "always",
};

test.each([
  { name: "View", fields: ofView, alike: [views, viewFields, operatorsOfViews] },
  { name: "Operator", fields: ofOperator, alike: [operators] },
] as const)(
  "$name: the fields of the messages are those of the OpenAPI document",
  ({ name, fields, alike }) => {
    const { properties, required } = openApiDocument.components.schemas[name] as unknown as {
      properties: object;
      required: string[];
    };
    expect(Object.keys(properties).sort()).toEqual(Object.keys(fields).sort());
    const always = Object.entries(fields).filter(([, when]) => when === "always");
    expect([...required].sort()).toEqual(always.map(([field]) => field).sort());
    expect(alike.every((same) => same)).toBe(true);
  },
);
