/**
 * Answers held against the server's own OpenAPI document: the operation must be there, its status be one of those it names, the body
 * fit the schema. Members a schema does not name are refused: what is not documented is not there.
 */
import { expect } from "vitest";

type Json = Record<string, unknown>;

interface Operation {
  readonly path: string;
  readonly method: string;
  readonly definition: Json;
}

export class Contract {
  readonly #document: Json;
  readonly #operations: readonly Operation[];
  /** `operationId status`, of every answer that was checked. */
  readonly seen = new Set<string>();

  constructor(document: Json) {
    this.#document = document;
    this.#operations = Object.entries(document["paths"] as Record<string, Json>).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([method]) => method !== "parameters")
        .map(([method, definition]) => ({ path, method, definition: definition as Json })),
    );
  }

  get operationIds(): string[] {
    return this.#operations.map(({ definition }) => definition["operationId"] as string);
  }

  /** @throws when the answer is not one that the document gives for this request. */
  check(method: string, path: string, response: Response, text: string): void {
    const operation = this.#operation(method, path);
    const status = String(response.status);
    const answers = operation.definition["responses"] as Record<string, Json>;
    const named = answers[status] ?? answers[`${status[0]}XX`];
    expect(named, `${method} ${path} does not name status ${status}: ${text}`).toBeDefined();
    const answer = this.#resolve(named!);
    const type = (response.headers.get("Content-Type") ?? "").split(";")[0]!;
    const content = (answer["content"] as Record<string, Json>)[type];
    expect(content, `${method} ${path} ${status} does not name ${type}`).toBeDefined();
    if (type === "application/json") {
      expect(this.violations(content!["schema"] as Json, JSON.parse(text)), `${method} ${path}`).toEqual([]);
    }
    this.seen.add(`${operation.definition["operationId"] as string} ${status}`);
  }

  /** Whether a value is one of the document's named schemas. */
  fits(name: string, value: unknown): string[] {
    return this.violations({ $ref: `#/components/schemas/${name}` }, value);
  }

  #operation(method: string, path: string): Operation {
    const segments = path.replace(/\?.*$/s, "").split("/");
    const found = this.#operations.find((operation) => {
      const pattern = operation.path.split("/");
      if (operation.method !== method.toLowerCase() || pattern.length !== segments.length) return false;
      return pattern.every((part, i) => part.startsWith("{") || part === segments[i]);
    });
    expect(found, `${method} ${path} is documented`).toBeDefined();
    return found!;
  }

  #resolve(schema: Json): Json {
    const reference = schema["$ref"] as string | undefined;
    if (reference === undefined) return schema;
    const target = reference
      .slice(2)
      .split("/")
      .reduce<unknown>((at, name) => (at as Json)[name], this.#document);
    return this.#resolve(target as Json);
  }

  /** What does not fit, as `path: reason`. */
  violations(reference: Json, value: unknown, at = "$"): string[] {
    const schema = this.#resolve(reference);
    const out: string[] = [];
    for (const [keyword, rule] of Object.entries(schema))
      out.push(...this.#rule(keyword, rule, schema, value, at));
    return out;
  }

  #rule(keyword: string, rule: unknown, schema: Json, value: unknown, at: string): string[] {
    const unless = (fits: boolean): string[] =>
      fits ? [] : [`${at}: ${JSON.stringify(value)} against ${keyword} ${JSON.stringify(rule)}`];
    switch (keyword) {
      case "description":
      case "default":
      case "format":
        return [];
      case "type":
        return unless((Array.isArray(rule) ? rule : [rule]).some((type) => isOfType(value, type as string)));
      case "const":
        return unless(value === rule);
      case "enum":
        return unless((rule as unknown[]).includes(value));
      case "pattern":
        return typeof value === "string" ? unless(new RegExp(rule as string, "u").test(value)) : [];
      case "minimum":
        return typeof value === "number" ? unless(value >= (rule as number)) : [];
      case "maximum":
        return typeof value === "number" ? unless(value <= (rule as number)) : [];
      case "minItems":
        return Array.isArray(value) ? unless(value.length >= (rule as number)) : [];
      case "maxItems":
        return Array.isArray(value) ? unless(value.length <= (rule as number)) : [];
      case "items":
        return Array.isArray(value)
          ? value.flatMap((item, i) => this.violations(rule as Json, item, `${at}[${i}]`))
          : [];
      case "required":
        return isObject(value)
          ? (rule as string[]).filter((name) => !(name in value)).map((name) => `${at}.${name}: is missing`)
          : [];
      case "properties":
        return isObject(value) ? this.#properties(rule as Record<string, Json>, schema, value, at) : [];
      case "additionalProperties":
        return isObject(value) && schema["properties"] === undefined && rule !== false
          ? Object.entries(value).flatMap(([name, item]) =>
              this.violations(rule as Json, item, `${at}.${name}`),
            )
          : [];
      case "anyOf":
      case "oneOf": {
        const results = (rule as Json[]).map((option) => this.violations(option, value, at));
        const fitting = results.filter((result) => result.length === 0).length;
        if (keyword === "oneOf" ? fitting === 1 : fitting > 0) return [];
        return [`${at}: fits ${fitting} of ${keyword}: ${results.map((r) => r.join("; ")).join(" | ")}`];
      }
      default:
        throw new Error(`the schema keyword ${keyword} is not known here`);
    }
  }

  #properties(rule: Record<string, Json>, schema: Json, value: Json, at: string): string[] {
    return Object.entries(value).flatMap(([name, item]) => {
      const property = rule[name];
      if (property !== undefined) return this.violations(property, item, `${at}.${name}`);
      const others = schema["additionalProperties"];
      if (typeof others === "object") return this.violations(others as Json, item, `${at}.${name}`);
      return [`${at}.${name}: is not documented`];
    });
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "object":
      return isObject(value);
    case "array":
      return Array.isArray(value);
    case "null":
      return value === null;
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
