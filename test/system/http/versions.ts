/** A view in several versions. */
import { expect, it } from "vitest";
import { ask, listen, ok } from "./walk.ts";

export function versions(): void {
  it("are built, compared, promoted, taken back and dropped", async () => {
    const doubled = { sql: "SELECT id, name, price * 2 AS price FROM item" };
    const row = { id: 95, name: "v", price: 1.5 };
    const { position: at } = (await ok("POST /v1/topics/item/records", row)).body as { position: string };
    const built = (await ok("POST /v1/views/items/versions", doubled)).body;
    expect(built).toMatchObject({ version: 2, name: "items@2" });
    expect((await ok("GET /v1/views/items@2/rows/95")).body).toMatchObject({ row: { id: 95, name: "v" } });
    const first = (await ok("GET /v1/views/items/rows")).body as { rows: object[] };
    const count = first.rows.length;
    expect((await ok("GET /v1/views/items/versions")).body).toMatchObject({
      versions: [
        { version: 1, isCurrent: true, isPrevious: false, view: { name: "items@1", rows: count } },
        { version: 2, isCurrent: false, isPrevious: false, view: { name: "items@2", rows: count } },
      ],
    });
    const stream = await listen("/v1/subscribe?view=items&view=ranked");
    await stream.next("SnapshotEvent");
    await stream.next("SnapshotEvent");
    const promoted = (await ok("POST /v1/views/items/versions/2/promote")).body as { position: string };
    expect(Number(promoted.position)).toBeGreaterThan(Number(at));
    expect((await stream.next("ResetEvent")).data).toMatchObject({ view: "items" });
    expect((await stream.next("SnapshotEvent")).data).toMatchObject({ view: "items", last: true });
    await stream.close();
    const now = `?atLeast=${promoted.position}`;
    const second = (await ok(`GET /v1/views/items/rows${now}`)).body as { rows: object[] };
    expect(second.rows).toEqual(((await ok("GET /v1/views/items@2/rows")).body as { rows: object[] }).rows);
    expect(
      (
        await ok("POST /v1/views/items/versions", {
          sql: "SELECT id, name FROM item WHERE id <> 95",
          version: 7,
        })
      ).body,
    ).toMatchObject({ version: 7 });
    const found = (await ok("GET /v1/views/items/diff?from=1&to=7&limit=5")).body;
    expect(found).toMatchObject({
      onlyFrom: 1,
      onlyTo: 0,
      differing: 0,
      columnsOnlyFrom: ["price"],
      columnsOnlyTo: [],
    });
    expect(found).toMatchObject({ rows: [{ from: { id: 95, name: "v" }, to: null }] });
    expect((await ask("DELETE /v1/views/items@2")).status).toBe(409);
    expect((await ok("POST /v1/views/items/rollback")).body).toMatchObject({ version: 1 });
    expect(((await ok("GET /v1/views/items/rows")).body as { rows: object[] }).rows).toEqual(first.rows);
    for (const version of [2, 7]) await ok(`DELETE /v1/views/items@${version}`);
    await ok("DELETE /v1/topics/item/records/95");
  });

  it("are refused where they cannot be", async () => {
    for (const [request, content, status] of [
      ["POST /v1/views/nothing/versions", { sql: "SELECT 1" }, 404],
      ["POST /v1/views/items/versions", { sql: "SELECT 1; SELECT 2" }, 400],
      ["POST /v1/views/items/versions", { sql: "SELEC" }, 400],
      ["POST /v1/views/items/versions", { sql: "SELECT 1", version: 0 }, 400],
      ["POST /v1/views/items/versions", { sql: "SELECT 1", version: 1 }, 409],
      ["POST /v1/views/items/versions/9/promote", undefined, 404],
      ["POST /v1/views/items/versions/x/promote", undefined, 400],
      ["POST /v1/views/items/rollback", undefined, 404],
      ["GET /v1/views/items/diff?from=1", undefined, 400],
      ["GET /v1/views/items/diff?from=1&to=9", undefined, 404],
    ] as const) {
      const answer = await ask(request, content);
      expect(answer.status, `${request}: ${answer.text}`).toBe(status);
    }
  });
}
