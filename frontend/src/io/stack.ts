/** Asks for a series' stack document. */

import type { Stack } from "../core/facts";
import { readProblem, readStack } from "./api";
import { asObject, type Json } from "./read";

export class StackError extends Error {}

export async function fetchStack(url: string): Promise<Stack> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" } });
  } catch {
    throw new StackError("");
  }
  if (!response.ok) {
    throw new StackError(await readProblem(response));
  }
  return readStack(asObject((await response.json()) as Json));
}
