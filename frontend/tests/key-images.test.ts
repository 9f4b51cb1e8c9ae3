import { expect, test } from "vitest";

import { isSelectedBy, keyImageOf, ownOf, selectedBy, type KeyImage } from "../src/core/key-images";
import type { Named, ObjectDocument } from "../src/core/stored-objects";
import { imageFacts } from "./facts";

const SELECTION: Partial<ObjectDocument> = {
  id: "o1", title: "For Teaching", name: "Key object selection",
  facts: [{ name: "Description", value: "rare" }, { name: "Chosen by", value: "Dr. A" }],
};

function named(instanceId: string, frames: readonly number[]): Named {
  return { instanceId, seriesId: "s", studyId: "", words: `Series 1, image ${instanceId}`, frames };
}

test("a selection names frames or whole images, and what is not in the archive is left out", () => {
  const images = selectedBy({ ...SELECTION, images: [named("a", [0, 2]), named("b", []), named("", [])] } as unknown as ObjectDocument);
  expect(images.map(({ instanceId, frame, note }) => [instanceId, frame, note])).toEqual([["a", 0, "rare · Dr. A"], ["a", 2, "rare · Dr. A"], ["b", null, "rare · Dr. A"]]);
  const at = (instance_id: string, frame: number): string => keyImageOf(images, imageFacts({ instance_id, frame }))?.selection?.title ?? "";
  expect([at("a", 0), at("a", 1), at("a", 2), at("b", 7), at("c", 0)]).toEqual(["For Teaching", "", "For Teaching", "For Teaching", ""]);
  const own: KeyImage = { id: "k", version: 1, note: "", seriesId: "s", instanceId: "a", frame: 0, seriesNumber: 1, instanceNumber: 1 };
  expect(ownOf([own, ...images])).toEqual([own]);
  expect([own, ...images].map((one) => isSelectedBy(one, "o1"))).toEqual([false, true, true, true]);
});
