/** Reconstruction jobs over REST: `/api/v1/reconstructions/`, docs/reconstruction.md. */

import { readProblem } from "./api";
import { asFlag, asList, asNumber, asObject, asText, type Json, type JsonObject } from "./read";

export type JobStatus = "queued" | "running" | "done" | "failed" | "cancelled";

export interface JobFile {
  readonly name: string;
  readonly size: number;
  /** Where it is fetched; empty when it has been removed. */
  readonly url: string;
}

export interface ReconstructionJob {
  readonly id: string;
  readonly kind: string;
  /** As they were asked for. */
  readonly parameters: JsonObject;
  readonly status: JobStatus;
  /** 0 to 1. */
  readonly progress: number;
  readonly reason: string;
  /** The series that was made; empty without one. */
  readonly resultId: string;
  readonly files: readonly JobFile[];
}

/** What the stream of news says of a job. */
export interface JobNews {
  readonly id: string;
  readonly status: JobStatus;
  readonly progress: number;
}

export interface JobWish {
  readonly series: string;
  readonly kind: string;
  readonly parameters: JsonObject;
}

/** The server says no, in words for the reader. */
export class JobError extends Error {}

export class JobApi {
  constructor(
    /** Of the list of jobs. */
    private readonly address: string,
    private readonly token: string,
  ) {}

  /** Returns the job's id. */
  async create(wish: JobWish): Promise<string> {
    return asText((await this.ask("POST", this.address, { ...wish }))["id"]);
  }

  async read(id: string): Promise<ReconstructionJob> {
    return readJob(await this.ask("GET", `${this.address}${id}/`));
  }

  /** What this installation can make, and whether the person's role may ask for it. */
  async kinds(): Promise<{ readonly kinds: readonly string[]; readonly mayAsk: boolean }> {
    const wire = await this.ask("GET", `${this.address}kinds/`);
    return { kinds: asList(wire["kinds"]).map(asText), mayAsk: asFlag(wire["may_ask"]) };
  }

  /** The newest jobs on a study. */
  async list(studyId: string): Promise<ReconstructionJob[]> {
    const page = await this.ask("GET", `${this.address}?study=${encodeURIComponent(studyId)}&page_size=20`);
    return asList(page["results"]).map((one) => readJob(asObject(one)));
  }

  async cancel(id: string): Promise<void> {
    await this.ask("DELETE", `${this.address}${id}/`);
  }

  async retry(id: string): Promise<void> {
    await this.ask("POST", `${this.address}${id}/retry/`);
  }

  private async ask(method: string, address: string, body?: JsonObject): Promise<JsonObject> {
    const response = await fetch(address, {
      method,
      credentials: "same-origin",
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": this.token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) {
      throw new JobError(await readProblem(response));
    }
    return response.status === 204 ? {} : asObject((await response.json()) as Json);
  }
}

export function readJobNews(payload: JsonObject): JobNews {
  return {
    id: asText(payload["job"]),
    status: asText(payload["status"]) as JobStatus,
    progress: asNumber(payload["progress"]) ?? 0,
  };
}

function readJob(wire: JsonObject): ReconstructionJob {
  return {
    id: asText(wire["id"]),
    kind: asText(wire["kind"]),
    parameters: asObject(wire["parameters"]),
    status: asText(wire["status"]) as JobStatus,
    progress: asNumber(wire["progress"]) ?? 0,
    reason: asText(wire["reason"]),
    resultId: asText(wire["result"]),
    files: asList(wire["files"]).map((one) => {
      const file = asObject(one);
      return { name: asText(file["name"]), size: asNumber(file["size"]) ?? 0, url: asText(file["url"]) };
    }),
  };
}
