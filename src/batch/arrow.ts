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
 * | int4              | Int(32, signed)      | any Int within the range                             |
 * | int8              | Int(64, signed)      | any Int within the range                             |
 * | float8            | FloatingPoint(DOUBLE)| DOUBLE, SINGLE                                       |
 * | numeric(p<=18, s) | Decimal(p, s, 128)   | Decimal128, Int, Utf8; rounded to the scale          |
 * | numeric           | Utf8, marked         | Decimal128, Int, Utf8                                |
 * | bool              | Bool                 | Bool                                                 |
 * | text              | Utf8                 | Utf8, LargeUtf8                                      |
 * | timestamptz       | Timestamp(us, "UTC") | Timestamp in any unit with a zone (ns when whole us) |
 * | jsonb             | Utf8, arrow.json     | Utf8, LargeUtf8: JSON text                           |
 *
 * An unconstrained numeric has more digits than any Arrow decimal, hence text; the field's metadata `evert.type` says numeric. The
 * infinities of a timestamptz travel as int64's extremes.
 */

export { readArrow, readArrowSchema } from "./arrow-reader.ts";
export { arrowEnd, arrowRecordBatch, arrowSchema, writeArrow } from "./arrow-writer.ts";
