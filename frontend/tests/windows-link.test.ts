import { expect, test } from "vitest";

import { readTold } from "../src/io/windows-link";

test("what another window tells is read, and nothing else is believed", () => {
  const told = { from: "w", studyId: "s", isMain: true, news: { kind: "slice", lps: [1, 2, 3], normal: [0, 0, 1], frameOfReferenceUid: "1.2" } };
  expect(readTold(told)).toEqual(told);
  expect(readTold({ ...told, news: { ...told.news, lps: [1, "x", 3] } })).toBeNull();
  expect(readTold({ ...told, news: { kind: "run", url: "javascript:alert(1)" } })).toBeNull();
  expect(readTold("study")).toBeNull();
  expect(readTold({ ...told, from: "" })).toBeNull();
});
