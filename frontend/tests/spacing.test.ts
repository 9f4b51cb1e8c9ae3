import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import type { SpacingSource } from "../src/core/facts";
import type { JsonObject } from "../src/io/read";
import { imageFacts } from "./facts";

interface Case {
  name: string;
  facts: JsonObject;
  shown: SpacingSource | null;
  spacing_mm: number[] | null;
  aspect: number;
}

const golden = JSON.parse(
  readFileSync(new URL("../../tests/golden/spacing.json", import.meta.url), "utf8"),
) as { cases: Case[] };

test.each(golden.cases)("a millimetre says where it comes from: $name", ({ facts, shown, spacing_mm, aspect }) => {
  const image = imageFacts(facts);
  expect(image.pixelSpacing).toEqual(spacing_mm);
  if (shown !== null) {
    expect(image.spacingSource).toBe(shown);
  }
  expect(image.pixelAspect).toBeCloseTo(aspect, 12);
  expect(image.isSpacingUnclear).toBe("unclear_numbers" in facts);
});
