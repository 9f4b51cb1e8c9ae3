import { expect, test } from "vitest";

import { FindingStore, type Layer } from "../src/state/findings";
import { imageFacts } from "./facts";
import { finding } from "./findings";

function layer(name: string, position: number): Layer {
  return { id: name, studyId: "study", name, colour: "", isVisible: true, position, version: 1 };
}

test("marks of the lowest layer come first, so that those of higher ones lie over them", () => {
  const store = new FindingStore();
  store.setLayers([layer("over", 7), layer("under", 1), layer("between", 3)], "study");
  for (const name of ["over", "under", "between"]) {
    store.add(finding({ key: name, layer: name }));
  }
  const seen = store.on(imageFacts({ instance_id: "instance" })).map(({ key }) => key);
  expect(seen).toEqual(["under", "between", "over"]);
});
