/** Key images as the server keeps them. */

import type { ImageFacts } from "../core/facts";
import type { KeyImage, KeyImages } from "../core/key-images";
import { readProblem } from "./api";
import { asList, asNumber, asObject, asText, type Json } from "./read";
import { fetchDocument, StackError } from "./stack";

export class KeyImageApi {
  constructor(
    private readonly root: string,
    private readonly studyId: string,
    private readonly token: string,
  ) {}

  /** In the order of the screen. */
  async read(): Promise<KeyImages> {
    const found = await fetchDocument(`${this.root}studies/${this.studyId}/key-images/`);
    return asList(found["key_images"]).map(readKeyImage);
  }

  async add({ instanceId, sopInstanceUid, frame }: ImageFacts): Promise<void> {
    await this.send("POST", "key-images/", { instance_id: instanceId, sop_instance_uid: sopInstanceUid, frame });
  }

  async note({ id, version }: KeyImage, note: string): Promise<void> {
    await this.send("PATCH", `key-images/${id}/`, { version, note });
  }

  async remove({ id, version }: KeyImage): Promise<void> {
    await this.send("DELETE", `key-images/${id}/?version=${version}`);
  }

  private async send(method: string, address: string, body?: object): Promise<void> {
    const headers = { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": this.token };
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    let response: Response;
    try {
      response = await fetch(`${this.root}${address}`, { method, credentials: "same-origin", keepalive: true, headers, ...content });
    } catch {
      throw new StackError("");
    }
    if (!response.ok) {
      throw new StackError(await readProblem(response));
    }
  }
}

function readKeyImage(value: Json): KeyImage {
  const wire = asObject(value);
  return {
    id: asText(wire["id"]),
    version: asNumber(wire["version"]) ?? 1,
    note: asText(wire["note"]),
    seriesId: asText(wire["series"]),
    instanceId: asText(wire["instance"]),
    frame: asNumber(wire["frame"]) ?? 0,
    seriesNumber: asNumber(wire["series_number"]),
    instanceNumber: asNumber(wire["instance_number"]),
  };
}
