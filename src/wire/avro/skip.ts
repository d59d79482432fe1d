/** Values of a writer's that no column takes. */
import { type Cursor, malformed } from "./cursor.ts";
import type { AvroNode } from "./writer-schema.ts";

/** Values within values. */
const DEPTH_MAX = 256;

export function skipValue(cursor: Cursor, node: AvroNode, depth = 0): void {
  if (depth > DEPTH_MAX) throw malformed("values are nested too deeply");
  cursor.spend(1);
  switch (node.kind) {
    case "null":
      return;
    case "boolean":
      cursor.bool();
      return;
    case "int":
      cursor.int();
      return;
    case "long":
      cursor.long();
      return;
    case "float":
      cursor.fixed(4);
      return;
    case "double":
      cursor.fixed(8);
      return;
    case "bytes":
    case "string":
      cursor.measured();
      return;
    case "fixed":
      cursor.fixed(node.size);
      return;
    case "enum":
      cursor.choice(node.symbols.length, "symbols");
      return;
    case "union":
      skipValue(
        cursor,
        node.branches[cursor.choice(node.branches.length, "branches")] as AvroNode,
        depth + 1,
      );
      return;
    case "record":
      for (const type of typesWithBytes(node)) skipValue(cursor, type, depth + 1);
      return;
    case "array":
    case "map":
      skipBlocks(cursor, node, depth);
  }
}

function skipBlocks(
  cursor: Cursor,
  node: AvroNode & { readonly kind: "array" | "map" },
  depth: number,
): void {
  const empty = node.kind === "array" && takesNoBytes(node.items);
  for (;;) {
    const count = cursor.block(empty ? Number.MAX_SAFE_INTEGER : null);
    if (count === 0) return;
    for (let i = 0; i < count && !empty; i++) {
      if (node.kind === "map") cursor.measured();
      skipValue(cursor, node.items, depth + 1);
    }
  }
}

const withBytes = new WeakMap<AvroNode, readonly AvroNode[]>();

/** What is there to be passed over of a record. */
function typesWithBytes(node: AvroNode & { readonly kind: "record" }): readonly AvroNode[] {
  let types = withBytes.get(node);
  if (types === undefined) {
    types = node.fields.map(({ type }) => type).filter((type) => !takesNoBytes(type));
    withBytes.set(node, types);
  }
  return types;
}

const empties = new WeakMap<AvroNode, boolean>();

/** Whether all values of it are nothing on the wire, so that any number of them is, too. */
export function takesNoBytes(node: AvroNode): boolean {
  if (node.kind === "null") return true;
  if (node.kind === "fixed") return node.size === 0;
  if (node.kind !== "record") return false;
  let empty = empties.get(node);
  if (empty === undefined) {
    // One that holds itself has no end, and so no value.
    empties.set(node, false);
    empties.set(node, (empty = node.fields.every(({ type }) => takesNoBytes(type))));
  }
  return empty;
}
