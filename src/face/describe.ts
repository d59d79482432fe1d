/** A chain as the text a reader would have written: what `evert views` and the catalog show as a view's definition. */
import { unreachable } from "../base/assert.ts";
import type { AggregateSpec } from "./aggregates.ts";
import type { ChainNode, OrderSpec, Selector } from "./chain.ts";
import type { UserCode } from "./function-source.ts";
import type { View } from "./handles.ts";
import type { WindowSpec } from "./windows.ts";

export function definitionText(view: View<unknown>): string {
  return view.definition.kind === "sql" ? view.definition.text.trim() : chainText(view.definition.node);
}

function chainText(node: ChainNode): string {
  switch (node.kind) {
    case "source":
      return node.relation.name;
    case "filter":
      return `${chainText(node.input)}.filter(${codeText(node.predicate)})`;
    case "map":
      return `${chainText(node.input)}.${node.flat ? "flatMap" : "map"}(${codeText(node.fn)})`;
    case "select":
      return `${chainText(node.input)}.select(${node.columns.map(quoted).join(", ")})`;
    case "join": {
      const kind = node.asOf ? "asOfJoin" : "join";
      const method = node.type === "inner" ? kind : `${node.type}${kind[0]!.toUpperCase()}${kind.slice(1)}`;
      const rest = [node.leftKey, node.rightKey, node.combine]
        .filter((part) => part !== null)
        .map(selectorText);
      return `${chainText(node.left)}.${method}(${[chainText(node.right), ...rest].join(", ")})`;
    }
    case "group": {
      const aggregates = Object.entries(node.aggregates).map(
        ([name, spec]) => `${name}: ${aggregateText(spec)}`,
      );
      const given = `{ ${aggregates.join(", ")} }`;
      const input = chainText(node.input);
      return node.key === null
        ? `${input}.reduce(${given})`
        : `${input}.groupBy(${selectorText(node.key)}, ${given})`;
    }
    case "topK": {
      const parts = [
        ...(node.partitionBy === null ? [] : [`partitionBy: ${selectorText(node.partitionBy)}`]),
        `orderBy: [${node.order.map(orderText).join(", ")}]`,
        ...(node.limit === null ? [] : [`limit: ${node.limit}`]),
        ...(node.offset === 0 ? [] : [`offset: ${node.offset}`]),
      ];
      return `${chainText(node.input)}.topK({ ${parts.join(", ")} })`;
    }
    case "union":
      return `${chainText(node.inputs[0]!)}.union(${node.inputs.slice(1).map(chainText).join(", ")})`;
    case "distinct":
      return `${chainText(node.input)}.distinct()`;
    case "window": {
      const columns = Object.entries(node.columns).map(
        ([name, column]) =>
          `${name}: ${"spec" in column ? aggregateText(column.spec) : windowText(column.window)}`,
      );
      const over = [
        ...(node.partitionBy === null ? [] : [`partitionBy: ${selectorText(node.partitionBy)}`]),
        ...(node.order.length === 0 ? [] : [`orderBy: [${node.order.map(orderText).join(", ")}]`]),
        ...(node.frame === null ? [] : [`frame: ${JSON.stringify(node.frame)}`]),
      ];
      return `${chainText(node.input)}.window({ ${over.join(", ")} }, { ${columns.join(", ")} })`;
    }
    case "timeWindow": {
      const size = node.window === "session" ? "gap" : "size";
      const parts = [
        `at: ${quoted(node.at)}`,
        `${size}: ${quoted(node.size)}`,
        ...(node.every === null ? [] : [`every: ${quoted(node.every)}`]),
        ...(node.partitionBy === null ? [] : [`partitionBy: ${selectorText(node.partitionBy)}`]),
      ];
      return `${chainText(node.input)}.${node.window}({ ${parts.join(", ")} })`;
    }
    case "iterate": {
      const all = node.all ? ", { all: true }" : "";
      return `${chainText(node.base)}.iterate((found) => ${chainText(node.step)}${all})`;
    }
    case "found":
      return "found";
    case "order":
      return `${chainText(node.input)}.orderBy(${node.order.map(orderText).join(", ")})`;
    default:
      return unreachable(node);
  }
}

function aggregateText(spec: AggregateSpec): string {
  const where = spec.where === null ? [] : [`{ where: ${codeText(spec.where)} }`];
  if (spec.fn === "list") {
    const by = spec.orderBy === null ? null : selectorText(spec.orderBy);
    const options = [
      ...(by === null ? [] : [`orderBy: ${spec.descending ? quoted(`-${spec.orderBy as string}`) : by}`]),
      ...(spec.distinct ? ["distinct: true"] : []),
      ...(spec.where === null ? [] : [`where: ${codeText(spec.where)}`]),
    ];
    return `list(${[selectorText(spec.of), ...(options.length === 0 ? [] : [`{ ${options.join(", ")} }`])].join(", ")})`;
  }
  if (spec.fn === "percentile")
    return `percentile(${[selectorText(spec.of), String(spec.fraction), ...where].join(", ")})`;
  if (spec.fn === "reduce") {
    const parts = [
      `initial: ${JSON.stringify(spec.initial)}`,
      `add: ${codeText(spec.add)}`,
      `remove: ${codeText(spec.remove)}`,
    ];
    return `reduce({ ${parts.join(", ")} })`;
  }
  const of = spec.of === null ? [] : [selectorText(spec.of)];
  return `${spec.fn}(${[...of, ...where].join(", ")})`;
}

function windowText(spec: WindowSpec): string {
  const name = spec.fn.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  switch (spec.fn) {
    case "ntile":
      return `ntile(${spec.buckets})`;
    case "lag":
    case "lead": {
      const rest = spec.otherwise === null ? [] : [JSON.stringify(spec.otherwise)];
      return `${name}(${[selectorText(spec.of), String(spec.offset), ...rest].join(", ")})`;
    }
    case "first_value":
    case "last_value":
      return `${name}(${selectorText(spec.of)})`;
    case "nth_value":
      return `${name}(${selectorText(spec.of)}, ${spec.n})`;
    default:
      return `${name}()`;
  }
}

function orderText({ by, descending }: OrderSpec): string {
  if (typeof by === "string") return quoted(descending ? `-${by}` : by);
  return descending ? `desc(${codeText(by)})` : codeText(by);
}

function selectorText(selector: Selector): string {
  if (typeof selector === "function") return codeText(selector);
  return typeof selector === "string" ? quoted(selector) : `[${selector.map(quoted).join(", ")}]`;
}

function codeText(code: UserCode): string {
  return Function.prototype.toString.call(code);
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
