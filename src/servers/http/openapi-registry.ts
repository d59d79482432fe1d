/** The schema registry in the OpenAPI document. */
import { boolean, type Json, list, object, string } from "./json-schema.ts";
import { json, ok } from "./openapi-parts.ts";
import { ref as commonRef } from "./openapi-schemas.ts";

const integer = { type: "integer", minimum: 1 };

export const registrySchemas = {
  RegistryError: object({ error_code: integer, message: string }),
  RegistryRequest: object(
    {
      schema: { ...string, description: "The schema's JSON, as text." },
      schemaType: { const: "AVRO" },
      references: { type: "array", maxItems: 0 },
    },
    ["schemaType", "references"],
  ),
  RegistrySchema: object({ schema: string }),
  RegistryId: object({ id: integer }),
  RegistryVersion: object({ subject: string, version: integer, id: integer, schema: string }),
  RegistryCompatibility: object({
    is_compatible: boolean,
    messages: list(string),
  }),
  RegistryConfig: object({ compatibilityLevel: { const: "FORWARD" } }),
};

export const registryParameters = {
  subject: { name: "subject", in: "path", required: true, schema: string },
  id: { name: "id", in: "path", required: true, schema: integer },
  version: {
    name: "version",
    in: "path",
    required: true,
    description: 'A number from 1 on, or "latest".',
    schema: string,
  },
};

function ref(name: keyof typeof registrySchemas): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function parameter(name: keyof typeof registryParameters): Json {
  return { $ref: `#/components/parameters/${name}` };
}

const tags = ["schemas"];
const registryText =
  "In the shapes of Confluent's schema registry. A topic's subject is TOPIC-value; a message in the schema of TOPIC-key deletes.";
const refusals = {
  "4XX": ok("Refused, by Confluent's error codes.", json(ref("RegistryError"))),
  "5XX": ok("Refused for now.", json({ anyOf: [ref("RegistryError"), commonRef("Error")] })),
};
const requestBody = {
  required: true,
  content: {
    ...json(ref("RegistryRequest")),
    "application/vnd.schemaregistry.v1+json": { schema: ref("RegistryRequest") },
  },
};

function operation(operationId: string, summary: string, answer: Json, more: Json = {}): Json {
  return {
    operationId,
    summary,
    description: registryText,
    tags,
    ...more,
    responses: { 200: answer, ...refusals },
  };
}

export const registryPaths: Record<string, Json> = {
  "/registry/config": {
    get: operation("registryConfig", "What is compatible", ok("FORWARD.", json(ref("RegistryConfig")))),
  },
  "/registry/config/{subject}": {
    parameters: [parameter("subject")],
    get: operation(
      "registrySubjectConfig",
      "The same of a subject",
      ok("FORWARD.", json(ref("RegistryConfig"))),
    ),
  },
  "/registry/schemas/ids/{id}": {
    parameters: [parameter("id")],
    get: operation("schemaById", "What an id stands for", ok("The schema.", json(ref("RegistrySchema")))),
  },
  "/registry/subjects": {
    get: operation(
      "listSubjects",
      "All subjects",
      ok("Their names.", json({ type: "array", items: { type: "string" } })),
    ),
  },
  "/registry/subjects/{subject}": {
    parameters: [parameter("subject")],
    post: operation(
      "lookUpSchema",
      "The version of a subject that a schema is",
      ok("It is this one.", json(ref("RegistryVersion"))),
      { requestBody },
    ),
  },
  "/registry/subjects/{subject}/versions": {
    parameters: [parameter("subject")],
    get: operation(
      "listSchemaVersions",
      "The versions of a subject",
      ok("Their numbers.", json({ type: "array", items: { type: "integer" } })),
    ),
    post: operation(
      "registerSchema",
      "Register a writer's schema",
      ok("The id that it has, now or already.", json(ref("RegistryId"))),
      { requestBody },
    ),
  },
  "/registry/subjects/{subject}/versions/{version}": {
    parameters: [parameter("subject"), parameter("version")],
    get: operation("schemaVersion", "One version of a subject", ok("It.", json(ref("RegistryVersion")))),
  },
  "/registry/compatibility/subjects/{subject}/versions/{version}": {
    parameters: [parameter("subject"), parameter("version")],
    post: operation(
      "checkSchema",
      "Whether a writer's schema would be registered",
      ok("Whether, and why not.", json(ref("RegistryCompatibility"))),
      { requestBody },
    ),
  },
};
