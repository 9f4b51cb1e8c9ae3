import type { ImageFacts } from "../src/core/facts";
import { readStack } from "../src/io/api";
import type { JsonObject } from "../src/io/read";

/** One image as the wire brings it, with what the test says about it. */
export function imageFacts(says: JsonObject): ImageFacts {
  const image: JsonObject = {
    instance_id: "01890000-0000-7000-8000-000000000001",
    frame: 0,
    pixel_format: "u16",
    bits_stored: 16,
    rows: 4,
    columns: 4,
    bytes: 32,
    photometric_interpretation: "MONOCHROME2",
    ...says,
  };
  return readStack({ series_id: "s", version: "1", shared: {}, images: [image] }).images[0] as ImageFacts;
}
