/** bytea and uuid. Both are kept as their output text, whose order of bytes is the order of the values. */
import { EvertError } from "../../base/errors.ts";

/** bytea in hex (`\x00ff`) or escape form (`a\\b\000`); out in hex. */
export function parseBytea(text: string): string {
  return text.startsWith("\\x") ? hexForm(text) : escapeForm(text);
}

function hexForm(text: string): string {
  const digits = text.slice(2).toLowerCase();
  if (/^(?:[0-9a-f]{2})*$/.test(digits)) return `\\x${digits}`;
  const packed = digits.replace(/([0-9a-f]{2})[ \n\t\r]+/g, "$1").replace(/^[ \n\t\r]+/, "");
  const bad = /[^0-9a-f]/.exec(packed);
  if (bad !== null) {
    throw new EvertError("invalid_argument", `invalid hexadecimal digit: "${bad[0]}"`);
  }
  if (packed.length % 2 === 0) return `\\x${packed}`;
  throw new EvertError("invalid_argument", "invalid hexadecimal data: odd number of digits");
}

const encoder = new TextEncoder();

function escapeForm(text: string): string {
  if (!text.includes("\\")) return bytesToHex(encoder.encode(text));
  const bytes: number[] = [];
  for (const part of text.match(/\\\\|\\[0-3][0-7]{2}|[^\\]+|\\/g) ?? []) {
    if (part === "\\") {
      throw new EvertError("invalid_text_representation", "invalid input syntax for type bytea");
    }
    if (part === "\\\\") bytes.push(0x5c);
    else if (part.startsWith("\\")) bytes.push(Number.parseInt(part.slice(1), 8));
    else for (const byte of encoder.encode(part)) bytes.push(byte);
  }
  return bytesToHex(Uint8Array.from(bytes));
}

const hexOf = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));

export function bytesToHex(bytes: Uint8Array): string {
  let out = "\\x";
  for (const byte of bytes) out += hexOf[byte] as string;
  return out;
}

/** The bytes behind a bytea's hex form. */
export function hexToBytes(hex: string): Uint8Array {
  const bytes = new Uint8Array((hex.length - 2) >> 1);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 + i * 2, 4 + i * 2), 16);
  return bytes;
}

const uuidForm = /^(?:\{((?:[0-9a-f]{4}-?){7}[0-9a-f]{4})\}|((?:[0-9a-f]{4}-?){7}[0-9a-f]{4}))$/;

/** Thirty-two digits, a hyphen after any four, braces around it all: as PostgreSQL reads it. */
export function parseUuid(text: string): string {
  const match = uuidForm.exec(text.toLowerCase());
  if (match === null) {
    throw new EvertError("invalid_text_representation", `invalid input syntax for type uuid: "${text}"`);
  }
  const digits = (match[1] ?? match[2]!).replaceAll("-", "");
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(12, 16),
    digits.slice(16, 20),
    digits.slice(20),
  ].join("-");
}
