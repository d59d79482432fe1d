/** Producers and consumers in the OpenAPI document. */

import type { Json } from "./json-schema.ts";
import { fails, json, ok, parameter } from "./openapi-parts.ts";
import { ref } from "./openapi-schemas.ts";

export const followingPaths: Record<string, Json> = {
  "/v1/producers": {
    post: {
      operationId: "registerProducer",
      summary: "Begin a new epoch of a producer",
      description: "The first is 0. Whoever sends in an earlier one is refused from then on.",
      tags: ["topics"],
      parameters: [parameter("idempotencyKey")],
      requestBody: { required: true, content: json(ref("ProducerRequest")) },
      responses: {
        200: ok("It has begun.", json(ref("Registered"))),
        ...fails("400", "403", "413", "422", "429", "503"),
      },
    },
  },
  "/v1/producers/{producer}": {
    parameters: [parameter("producer")],
    get: {
      operationId: "getProducer",
      summary: "What a producer has sent in its epoch",
      tags: ["topics"],
      responses: { 200: ok("The producer.", json(ref("Producer"))), ...fails("400", "403", "404", "503") },
    },
  },
  "/v1/consumers": {
    get: {
      operationId: "listConsumers",
      summary: "Consumers, and how far each has come",
      tags: ["topics"],
      responses: { 200: ok("All consumers.", json(ref("Consumers"))), ...fails("400", "403", "503") },
    },
    post: {
      operationId: "openConsumer",
      summary: "Begin a new epoch of a consumer",
      description: "It is made if it is not there. What an earlier opening says is refused from then on.",
      tags: ["topics"],
      parameters: [parameter("idempotencyKey")],
      requestBody: { required: true, content: json(ref("OpenConsumer")) },
      responses: {
        200: ok("Where it goes on.", json(ref("OpenedConsumer"))),
        ...fails("400", "403", "404", "413", "422", "429", "503"),
      },
    },
  },
  "/v1/consumers/{consumer}": {
    parameters: [parameter("consumer")],
    get: {
      operationId: "getConsumer",
      summary: "How far a consumer has come",
      tags: ["topics"],
      responses: { 200: ok("The consumer.", json(ref("Consumer"))), ...fails("400", "403", "404", "503") },
    },
    put: {
      operationId: "advanceConsumer",
      summary: "Say how far a consumer has come",
      description: "By topic the offset of the record that it reads next. Within an epoch it only grows.",
      tags: ["topics"],
      parameters: [parameter("idempotencyKey")],
      requestBody: { required: true, content: json(ref("ConsumerProgress")) },
      responses: {
        200: ok("Stored and durable.", json(ref("Position"))),
        ...fails("400", "403", "404", "409", "413", "422", "429", "503"),
      },
    },
    delete: {
      operationId: "dropConsumer",
      summary: "Forget a consumer",
      tags: ["topics"],
      responses: { 200: ok("Forgotten.", json(ref("Position"))), ...fails("400", "403", "404", "503") },
    },
  },
};
