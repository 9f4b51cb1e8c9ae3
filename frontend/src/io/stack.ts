/** Asks for a series' stack document, and for the list of a study's series. */

import type { Series, Stack } from "../core/facts";
import { readProblem, readSeriesList, readStack } from "./api";
import { asObject, type Json, type JsonObject } from "./read";

export class StackError extends Error {}

export async function fetchStack(url: string): Promise<Stack> {
  return readStack(await fetchDocument(url));
}

export async function fetchSeries(url: string): Promise<Series[]> {
  return readSeriesList(await fetchDocument(url));
}

export async function fetchDocument(url: string): Promise<JsonObject> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" } });
  } catch {
    throw new StackError("");
  }
  if (!response.ok) {
    throw new StackError(await readProblem(response));
  }
  return asObject((await response.json()) as Json);
}
