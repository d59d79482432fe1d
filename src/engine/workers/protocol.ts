/**
 * What the main thread and its workers tell each other. Each request has one reply, in the order of the requests; beside them a worker tells what
 * operators have done, when it has a moment.
 */
import type { OperatorStats } from "../../dataflow/operator-stats.ts";
import type { PartAnswer, PartRows } from "../../dataflow/parts/link.ts";
import type { PartSpec } from "../../dataflow/parts/part-circuit.ts";

export type Request =
  | { readonly kind: "open"; readonly part: number; readonly spec: PartSpec }
  | { readonly kind: "feed"; readonly part: number; readonly rows: readonly PartRows[] }
  | { readonly kind: "finish"; readonly part: number; readonly rows: readonly PartRows[] }
  | { readonly kind: "drop"; readonly part: number };

export type Reply =
  | { readonly kind: "done" }
  | { readonly kind: "answer"; readonly answer: PartAnswer }
  | { readonly kind: "operators"; readonly part: number; readonly operators: readonly OperatorStats[] };
