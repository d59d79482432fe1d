/** What is written: appends, transactions, and the producers and consumers that speak of them. Types only. */
import type { EvertError } from "../../base/errors.ts";
import type { ReadTopicOptions } from "./topics.ts";
import type { Key } from "./views.ts";

/** How rows are appended. */
export interface AppendOptions {
  readonly idempotencyKey?: string | undefined;
  /** Digest of the request body: same key with another digest is refused with idempotency_conflict. Absent: it is made of the rows. */
  readonly requestDigest?: string | undefined;
  /** In place of a key: the request's place among those of a producer. Appends to one topic only. @throws EvertError fenced, out_of_sequence. */
  readonly producer?: ProducerSequence | undefined;
}

/** What could not be decoded of an append. */
export interface DeadLetter {
  readonly error: EvertError;
  readonly bytes: Uint8Array;
  /** Of the writer's, if it names one. */
  readonly schemaId: number | null;
}

export interface AppendBatchOptions extends AppendOptions {
  /** Stored in the same commit, in the stream that the topic names for them. Without one, the first is thrown. */
  readonly deadLetters?: readonly DeadLetter[] | undefined;
  /** Rows that delete, by their places in ascending order: only their keys are looked at. REQUIRES a topic with a key. */
  readonly deleted?: readonly number[] | undefined;
}

/** A request's place among those that a producer sends to a topic (producers.ts). */
export interface ProducerSequence {
  readonly id: string;
  /** Rises whenever the producer starts anew. */
  readonly epoch: number;
  /** Of the producer's requests to the topic in this epoch: 0, 1, 2, … */
  readonly seq: number;
  /** So many numbers, from `seq` on, are this request's. Default 1. */
  readonly count?: number | undefined;
}

/** What is known of a producer. */
export interface ProducerInfo {
  readonly id: string;
  readonly epoch: number;
  /** What it has sent in this epoch: by topic the last number, and where that was stored. */
  readonly topics: readonly { readonly topic: string; readonly seq: number; readonly position: string }[];
}

/**
 * Where the rows stand that were appended. Told once they are durable. Of a producer's request that was stored before its last five, only that it
 * is there is known: `count` is 0, and `position` one at which it was.
 */
export interface AppendResult {
  readonly position: string;
  readonly count: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** How many records could not be decoded and went to the topic's dead letters. Absent: none, or it is not known any more. */
  readonly deadLetters?: number;
}

/** What erasing a key has done. */
export interface Erased {
  /** Up to which nothing of it is left. */
  readonly position: string;
  /** Topics that views over this one are appended to: they may have rows made of it, to be erased there. */
  readonly sinks: readonly string[];
}

export type Operation =
  | { readonly topic: string; readonly append: readonly unknown[] }
  | { readonly topic: string; readonly upsert: readonly unknown[] }
  | { readonly topic: string; readonly delete: readonly unknown[] };

/**
 * What a transaction expects, or is refused with conflict:
 * - a position alone: nothing has been committed since;
 * - a topic and a position: nothing has been committed to it since;
 * - a topic, a key and a version: the row with this key is there as it was at that position; null: it is not there.
 * Positions are those of answers: of the read by which the transaction was decided, or of an append.
 */
export type Expectation =
  | { readonly position: string }
  | { readonly topic: string; readonly position: string }
  | { readonly topic: string; readonly key: Key; readonly version: string | null };

export interface TransactOptions extends AppendOptions {
  readonly expect?: readonly Expectation[] | undefined;
  /** Progress of a consumer that is stored with it, or not at all. @throws EvertError fenced; conflict: these records have been processed. */
  readonly consume?: readonly Consumed[] | undefined;
}

/** How far a consumer has come on a topic. */
export interface Consumed {
  readonly name: string;
  readonly epoch: number;
  readonly topic: string;
  /** Of the record that it reads next. */
  readonly offset: number;
}

export interface OpenConsumerOptions extends Pick<AppendOptions, "idempotencyKey"> {
  /** Where it begins on topics that it has not read before. Default "earliest". */
  readonly from?: ReadTopicOptions["from"];
  /** It begins there on all of them. */
  readonly reset?: boolean | undefined;
}

export interface OpenedConsumer {
  readonly name: string;
  /** Which opening it is: what an earlier one says is refused from now on. */
  readonly epoch: number;
  readonly topics: readonly { readonly topic: string; readonly offset: number }[];
  readonly position: string;
}

export interface ConsumerInfo {
  readonly name: string;
  readonly epoch: number;
  /** When it last said how far it has come: ISO 8601 in UTC. */
  readonly updatedAt: string;
  readonly topics: readonly ConsumerProgress[];
}

export interface ConsumerProgress {
  readonly topic: string;
  /** Of the record that it reads next, and of the record that is appended next. */
  readonly offset: number;
  readonly end: number;
  /** Records that are yet to be read. */
  readonly lag: number;
  /** Records that the topic's retention has given up before they were read. */
  readonly lost: number;
  /** Of the commit in which it came this far. */
  readonly position: string;
}
