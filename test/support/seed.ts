/**
 * Where random tests begin. The same for everybody, so that a change is judged by itself and not by its luck; `npm run soak` looks elsewhere.
 * EVERT_SEED=n is another place, EVERT_SEED=random one nobody has been to.
 */
const wanted = process.env["EVERT_SEED"] ?? "1";

export const seed = wanted === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(wanted);

if (!Number.isSafeInteger(seed)) throw new Error(`EVERT_SEED is a whole number or "random", not ${wanted}`);
