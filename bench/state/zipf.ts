/** Ranks by Zipf's law, drawn by rejection (Hörmann and Derflinger 1996), scattered over the keys. */
export class Zipf {
  readonly #keys: number;
  readonly #exponent = 0.99;
  readonly #first: number;
  readonly #all: number;
  readonly #threshold: number;

  constructor(keys: number) {
    this.#keys = keys;
    this.#first = this.#integral(1.5) - 1;
    this.#all = this.#integral(keys + 0.5);
    this.#threshold = 2 - this.#inverse(this.#integral(2.5) - 2 ** -this.#exponent);
  }

  #integral(x: number): number {
    return (x ** (1 - this.#exponent) - 1) / (1 - this.#exponent);
  }

  #inverse(x: number): number {
    return Math.max(1, (1 + x * (1 - this.#exponent)) ** (1 / (1 - this.#exponent)));
  }

  key(): number {
    for (;;) {
      const u = this.#all + Math.random() * (this.#first - this.#all);
      const x = this.#inverse(u);
      const rank = Math.min(this.#keys, Math.max(1, Math.round(x)));
      if (rank - x <= this.#threshold || u >= this.#integral(rank + 0.5) - rank ** -this.#exponent)
        return (rank * 2_654_435_761) % this.#keys;
    }
  }
}
