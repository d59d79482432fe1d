import { int4, table } from "evert";
export const songs = table("songs", { key: "id", schema: { id: int4 } });
