/**
 * Batches as an Apache Arrow IPC stream, and back.
 *
 *   stream  = schema batch* end
 *   message = u32 0xFFFFFFFF, i32 bytes of the metadata, metadata (a FlatBuffer, padded to 8), body (padded to 8)
 *   end     = u32 0xFFFFFFFF, i32 0
 *
 * A batch's body holds each column's buffers one after the other: validity, values for fixed columns and bool; validity, offsets, data
 * for text. An absent validity buffer has length 0.
 *
 * | SQL               | Arrow                | read back from                                       |
 * |-------------------|----------------------|------------------------------------------------------|
 * | int2              | Int(16, signed)      | any Int within the range                             |
 * | int4              | Int(32, signed)      | any Int within the range                             |
 * | int8              | Int(64, signed)      | any Int within the range                             |
 * | float4            | FloatingPoint(SINGLE)| SINGLE, DOUBLE when a float keeps it                 |
 * | float8            | FloatingPoint(DOUBLE)| DOUBLE, SINGLE                                       |
 * | numeric(p<=18, s) | Decimal(p, s, 128)   | Decimal128, Int, Utf8; rounded to the scale          |
 * | numeric           | Utf8, marked         | Decimal128, Int, Utf8                                |
 * | bool              | Bool                 | Bool                                                 |
 * | text              | Utf8                 | Utf8, LargeUtf8                                      |
 * | timestamptz       | Timestamp(us, "UTC") | Timestamp in any unit with a zone (ns when whole us) |
 * | timestamp         | Timestamp(us)        | Timestamp in any unit without a zone                 |
 * | date              | Date(DAY)            | Date(DAY), Date(MILLISECOND) when whole days         |
 * | time              | Time(us, 64)         | Time in any unit (ns when whole us)                  |
 * | json, jsonb       | Utf8, arrow.json     | Utf8, LargeUtf8: JSON text                           |
 * | enum              | Utf8: the label, marked | Utf8, LargeUtf8                                   |
 * | every other type  | Utf8: PostgreSQL's text, marked | Utf8, LargeUtf8                           |
 *
 * An unconstrained numeric has more digits than any Arrow decimal, hence text; the field's metadata `evert.type` says which type a text is. The
 * infinities of dates and timestamps travel as int64's extremes.
 */

export { readArrow, readArrowSchema } from "./arrow-reader.ts";
export { arrowEnd, arrowRecordBatch, arrowSchema, arrowStream, writeArrow } from "./arrow-writer.ts";
