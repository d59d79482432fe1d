/** Topics and tables that chains are compiled over, and the plans of chains. */
import { z } from "zod";
import type { Chain, Ordered } from "../../src/face/index.ts";
import { float8, int4, int8, jsonb, nullable, numeric, table, text, topic } from "../../src/face/index.ts";
import { explained } from "./catalog.ts";

export const songs = table("songs", {
  key: "id",
  schema: z.object({ id: z.int(), artist: z.string(), name: z.string(), genre: z.string() }),
});
export const plays = topic("plays", { schema: z.object({ song_id: z.int(), duration: z.int() }) });
export const orders = topic("orders", {
  schema: {
    id: int8,
    region: text,
    amount: float8,
    quantity: int4,
    price: numeric(10, 2),
    note: nullable(text),
    extra: jsonb<{ total: number }>(),
  },
});
export const rates = table("rates", {
  key: ["region", "year"],
  schema: { region: text, year: int4, rate: float8 },
});
export const handles = [songs, plays, orders, rates];

export const plan = (chain: unknown) => explained(chain as Chain<never> | Ordered<never>, handles);
