/**
 * For whoever runs the server, under / and /v1: /health (the process answers), /ready (reads are answered, and how far a start has
 * come), /metrics (Prometheus).
 */
import { type HealthAnswer, headers, type ReadyAnswer } from "../../wire/http/messages.ts";
import { jsonAnswer } from "./answer.ts";
import type { App, ServerContext } from "./context.ts";

export function operationsRoutes(app: App, server: ServerContext): void {
  const { engine, metrics } = server;
  for (const prefix of ["", "/v1"]) {
    app.get(`${prefix}/health`, () => {
      const { position } = engine;
      return jsonAnswer({ status: "ok", position } satisfies HealthAnswer, position);
    });
    app.get(`${prefix}/ready`, () => {
      const { ready, progress, position } = engine.readiness();
      return jsonAnswer({ ready, progress, position } satisfies ReadyAnswer, position, ready ? 200 : 503);
    });
    app.get(`${prefix}/metrics`, async () => {
      const text = await metrics.text();
      return new Response(text, {
        headers: {
          "Content-Type": metrics.contentType,
          "Cache-Control": "no-store",
          [headers.position]: engine.position,
        },
      });
    });
  }
}
