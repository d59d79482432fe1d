/** A program's own appends as a producer: what client.producer() is over HTTP. */
import { EvertError } from "../../base/errors.ts";
import { Sequencer } from "../../base/sequencer.ts";
import type { Table, Topic } from "../../face/handles.ts";
import type { AppendResult, Engine } from "../api.ts";
import { recordsOf, topicName } from "./given.ts";

/** Appends that are stored once and in order; who makes a producer with the same id takes its place. */
export class DbProducer {
  readonly id: string;
  readonly #sequencer: Sequencer<readonly unknown[], AppendResult>;

  constructor(engine: Engine, id: string) {
    this.id = id;
    this.#sequencer = new Sequencer({
      register: async () => (await engine.registerProducer(id)).epoch,
      send: (topic, rows, place) => engine.append(topic, rows, { producer: { id, ...place } }),
      // Nothing is lost on the way: who is refused is told, as by db.append.
      again: async () => false,
    });
  }

  /** Which start of the producer this is; undefined before its first append. */
  get epoch(): number | undefined {
    return this.#sequencer.epoch ?? undefined;
  }

  /** All rows as one commit, behind those asked for before. @throws EvertError fenced: another one has the id now */
  async append<Row, Input>(
    topic: Topic<Row, Input> | Table<Row, Input>,
    rows: Input | readonly Input[],
  ): Promise<AppendResult> {
    // Before it has a number, which would be left unused.
    return this.#sequencer.append(topicName(topic), recordsOf(rows));
  }

  /** Resolves when all that was asked for is stored or refused. */
  flush(): Promise<void> {
    return this.#sequencer.flush();
  }

  close(): void {
    this.#sequencer.end(
      new EvertError("shutting_down", `producer ${JSON.stringify(this.id)} has been closed`),
    );
  }
}
