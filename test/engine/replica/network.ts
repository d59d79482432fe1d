/** A network between a follower and its leader that can be cut, held up, and made to spoil what it carries. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class Network {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Called with each piece on its way to the follower; what it gives goes on. */
  spoil: (piece: Buffer) => Buffer = (piece) => piece;
  /** Called with each piece on its way to the leader. */
  heard: (piece: Buffer) => void = () => {};
  /** Nothing gets through, and nobody is told. */
  #isCut = false;

  private constructor(target: string) {
    const { hostname, port } = new URL(target);
    this.#server = createServer((inner) => {
      if (this.#isCut) {
        inner.destroy();
        return;
      }
      const outer = connect(Number(port), hostname);
      for (const socket of [inner, outer]) {
        this.#sockets.add(socket);
        socket.on("close", () => this.#sockets.delete(socket));
      }
      const end = (): void => {
        inner.destroy();
        outer.destroy();
      };
      for (const socket of [inner, outer]) socket.on("error", end).on("close", end);
      inner.on("data", (piece: Buffer) => {
        this.heard(piece);
        if (!this.#isCut) outer.write(piece);
      });
      outer.on("data", (piece: Buffer) => {
        if (!inner.write(this.spoil(piece))) {
          outer.pause();
          inner.once("drain", () => outer.resume());
        }
      });
    });
  }

  static async before(target: string): Promise<Network> {
    const network = new Network(target);
    await new Promise<void>((resolve) => network.#server.listen(0, "127.0.0.1", resolve));
    return network;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#isCut = true;
    this.breakOff();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** What is open breaks. */
  breakOff(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
