/** The numbers of Arrow's own FlatBuffers schemas (Message.fbs, Schema.fbs) that writer and reader share. */

export const CONTINUATION = 0xffff_ffff;
export const METADATA_V5 = 4;

export const header = { schema: 1, dictionaryBatch: 2, recordBatch: 3 } as const;

export const arrowType = {
  null: 1,
  int: 2,
  floatingPoint: 3,
  utf8: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  largeUtf8: 20,
} as const;

export const precision = { single: 1, double: 2 } as const;
export const dateUnit = { day: 0, milli: 1 } as const;
export const unit = { second: 0, milli: 1, micro: 2, nano: 3 } as const;

/** Field ids of the tables. */
export const messageFields = { version: 0, headerType: 1, header: 2, bodyLength: 3 } as const;
export const schemaFields = { endianness: 0, fields: 1 } as const;
export const fieldFields = {
  name: 0,
  nullable: 1,
  typeType: 2,
  type: 3,
  dictionary: 4,
  children: 5,
  metadata: 6,
} as const;
export const recordBatchFields = { length: 0, nodes: 1, buffers: 2, compression: 3 } as const;

/** Metadata of a field: the type where Arrow's alone would not tell. */
export const TYPE_KEY = "evert.type";
export const EXTENSION_KEY = "ARROW:extension:name";
export const EXTENSION_METADATA_KEY = "ARROW:extension:metadata";
export const JSON_EXTENSION = "arrow.json";
