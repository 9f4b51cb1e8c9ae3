/** Careful readers for values that came over the wire: a wrong kind becomes nothing, not a crash. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export function asObject(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

export function asList(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: Json | undefined): string {
  if (typeof value === "string") {
    return value;
  }
  return typeof value === "number" ? `${value}` : "";
}

export function asNumber(value: Json | undefined): number | null {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : null;
}

export function asFlag(value: Json | undefined): boolean {
  return value === true;
}

/** A list of numbers; one number counts as a list of one; anything else as none. */
export function asNumbers(value: Json | undefined): number[] {
  const values = Array.isArray(value) ? value : [value];
  const numbers = values.map((one) => asNumber(one));
  return numbers.every((one): one is number => one !== null) ? numbers : [];
}
