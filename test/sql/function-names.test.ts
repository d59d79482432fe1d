/** Every function that PostgreSQL knows by name is known here: it answers, or is refused as not there yet, and never "does not exist". */
import { PGlite } from "@electric-sql/pglite";
import { expect, it } from "vitest";
import { isAbsentAggregate, isAggregate } from "../../src/plan/aggregate-functions.ts";
import { isFunctionName } from "../../src/plan/functions.ts";
import { isWindowFunction } from "../../src/sql/windows.ts";

it("all of pg_proc", async () => {
  const postgres = await PGlite.create();
  const { rows } = await postgres.query<{ name: string }>(
    "SELECT DISTINCT proname AS name FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace ORDER BY 1",
  );
  await postgres.close();
  const unknown = rows
    .map(({ name }) => name)
    .filter((n) => !isFunctionName(n) && !isAggregate(n) && !isAbsentAggregate(n) && !isWindowFunction(n));
  expect(rows.length).toBeGreaterThan(2000);
  expect(unknown).toEqual([]);
});
