import { describe, expect, it } from "vitest";
import { compareTags, matchesTag, uncompared, type TagRow } from "../src/core/tags";

const row = (path: string, value: string, name = ""): TagRow => ({
  path,
  depth: path.split(".").length - 1,
  tag: `(${path.slice(-8, -4)},${path.slice(-4)})`,
  vr: "LO",
  keyword: name.replace(/\W/g, ""),
  name,
  value,
});

describe("two files", () => {
  it("stand beside each other by the place of their elements", () => {
    const one = [row("00080005", "a"), row("00081140", "10 items"), row("00081140[2].00081155", "x"), row("00081140[10].00081155", "y")];
    const other = [row("00080005", "b"), row("00081140", "10 items"), row("00081140[3].00081155", "z"), row("00100010", "n")];
    const found = compareTags(one, other).map(({ path, value, other: there, differs, isOnlyOther }) => [path, value, there, differs, isOnlyOther]);
    expect(found).toEqual([
      ["00080005", "a", "b", true, false],
      ["00081140", "10 items", "10 items", false, false],
      ["00081140[2].00081155", "x", null, true, false],
      ["00081140[3].00081155", "", "z", true, true],
      ["00081140[10].00081155", "y", null, true, false],
      ["00100010", "", "n", true, true],
    ]);
  });
});

describe("a search", () => {
  const [found] = uncompared([row("00100010", "Doe^Jane", "Patient's Name")]);
  it.each(["0010,0010", "(0010", "patient's", "PATIENTSNAME", "jane", " "])("finds by %s", (words) => {
    expect(matchesTag(found!, words)).toBe(true);
  });
  it("finds nothing else", () => {
    expect(matchesTag(found!, "john")).toBe(false);
  });
});
