/** Surfaces that the server has made of a series, and the work on them: `/api/v1/reconstructions/`. */

import { readProblem } from "./api";
import { asList, asObject, asText, type Json, type JsonObject } from "./read";
import { JobError, type JobApi, type JobWish, type ReconstructionJob } from "./reconstructions";

export interface MadeSurface {
  /** Of the job. */
  readonly id: string;
  /** As it was asked for: a preset, or "range". */
  readonly tissue: string;
  readonly lowest: number | null;
  readonly highest: number | null;
  /** Addresses of the files; empty where there is none. */
  readonly glb: string;
  readonly stl: string;
  readonly about: string;
}

const POLL_MS = 350;

/** The finished surfaces of a series, newest first. */
export async function listSurfaces(apiUrl: string, seriesId: string, signal: AbortSignal): Promise<MadeSurface[]> {
  const query = new URLSearchParams({ series: seriesId, kind: "surface", status: "done", page_size: "12" });
  const response = await fetch(`${apiUrl}reconstructions/?${query}`, { credentials: "same-origin", headers: { Accept: "application/json" }, signal });
  if (!response.ok) {
    throw new JobError(await readProblem(response));
  }
  const page = asObject((await response.json()) as Json);
  return asList(page["results"]).map((one) => readSurface(asObject(one))).filter(({ glb }) => glb !== "");
}

function readSurface(wire: JsonObject): MadeSurface {
  const parameters = asObject(wire["parameters"]);
  const files = asList(wire["files"]).map((one) => asObject(one));
  const fileOf = (end: string): string => asText(files.find((one) => asText(one["name"]).endsWith(end))?.["url"] ?? "");
  const numberOf = (name: string): number | null => (typeof parameters[name] === "number" ? parameters[name] : null);
  return {
    id: asText(wire["id"]),
    tissue: asText(parameters["tissue"]) || "bone",
    lowest: numberOf("lowest"),
    highest: numberOf("highest"),
    glb: fileOf(".glb"),
    stl: fileOf(".stl"),
    about: fileOf(".json"),
  };
}

/** Asks for a job and waits for its end; `tell` hears 0 to 1. A signal that is aborted cancels the job. */
export async function runJob(api: JobApi, wish: JobWish, tell: (progress: number) => void, signal: AbortSignal): Promise<ReconstructionJob> {
  const id = await api.create(wish);
  for (;;) {
    if (signal.aborted) {
      await api.cancel(id);
      throw new DOMException("", "AbortError");
    }
    const job = await api.read(id);
    tell(job.progress);
    if (job.status !== "queued" && job.status !== "running") {
      return job;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The JSON file of a job. */
export async function readNumbers(job: ReconstructionJob): Promise<JsonObject> {
  const url = job.files.find(({ name }) => name.endsWith(".json"))?.url ?? "";
  const response = await fetch(url, { credentials: "same-origin" });
  if (url === "" || !response.ok) {
    throw new JobError(await readProblem(response));
  }
  return asObject((await response.json()) as Json);
}
