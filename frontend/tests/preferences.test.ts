import { describe, expect, it } from "vitest";
import { CORNER_FIELDS, CORNERS, cornerOf, cornersFor, DRAG_TOOLS, HOUSE_CORNERS, HOUSE_PREFERENCES, keysOf, placeField, WHEEL_WAYS } from "../src/core/preferences";
import { readPreferences } from "../src/io/preferences";
import { documentOf } from "../src/io/settings";
import { SettingsKeeper } from "../src/state/settings";
import golden from "../../tests/golden/preferences.json" with { type: "json" };

describe("what the server takes", () => {
  it("are the same lists as here", () => {
    expect(golden.drag_tools).toEqual(DRAG_TOOLS);
    expect(golden.wheel_ways).toEqual(WHEEL_WAYS);
    expect(golden.corners).toEqual(CORNERS);
    expect(golden.corner_fields).toEqual(CORNER_FIELDS);
  });
  it("is read whole and sent back as it was", () => {
    const read = readPreferences({ version: 3, document: golden.document });
    expect(documentOf(read)).toEqual(golden.document);
    for (const name of Object.keys(HOUSE_PREFERENCES) as (keyof typeof HOUSE_PREFERENCES)[]) {
      expect(read[name], name).not.toEqual(HOUSE_PREFERENCES[name]);
    }
  });
});

describe("keys", () => {
  const house = new Map([
    ["fit", ["f"]],
    ["invert", ["i"]],
    ["film", [" "]],
  ]);
  it("are the house's where the reader says nothing", () => {
    expect(keysOf(house, {})).toEqual(house);
  });
  it("go to the command that the reader gives them, away from the other", () => {
    expect([...keysOf(house, { invert: ["f"] })]).toEqual([
      ["fit", []],
      ["invert", ["f"]],
      ["film", [" "]],
    ]);
  });
  it("of a command that is no more are left alone", () => {
    expect(keysOf(house, { gone: ["f"] }).get("fit")).toEqual(["f"]);
  });
});

describe("kept keys", () => {
  it("are worked out once, and anew when the reader changes them", () => {
    const keeper = new SettingsKeeper(HOUSE_PREFERENCES, { save: (wish) => Promise.resolve(wish), renew: () => null }, () => undefined);
    keeper.learn(new Map([["fit", ["f"]]]));
    const before = keeper.keys();
    expect(keeper.keys()).toBe(before);
    keeper.change({ keys: { fit: ["g"] } });
    expect(keeper.keys().get("fit")).toEqual(["g"]);
  });
});

describe("corners", () => {
  it("are those of the modality, else of all, else of the house", () => {
    const all = placeField(HOUSE_CORNERS, "zoom", null);
    const ct = placeField(HOUSE_CORNERS, "patient_name", "top_right");
    const preferences = { ...HOUSE_PREFERENCES, corners: { "*": all, CT: ct } };
    expect(cornersFor(preferences, "CT").top_right).toEqual(["patient_name"]);
    expect(cornersFor(preferences, "MR").bottom_left).toEqual(["window_name", "window"]);
    expect(cornersFor(HOUSE_PREFERENCES, "MR")).toEqual(HOUSE_CORNERS);
  });
  it("hold a field once, wherever it was before", () => {
    const moved = placeField(HOUSE_CORNERS, "image", "bottom_right");
    expect(cornerOf(moved, "image")).toBe("bottom_right");
    expect(moved.top_left).toEqual(["series", "series_description"]);
    expect(moved.bottom_right).toEqual(["image", "slice_thickness", "slice_position", "matrix"]);
    expect(cornerOf(placeField(moved, "image", null), "image")).toBeNull();
  });
});

describe("settings from the page", () => {
  it("that are empty are the house's", () => {
    expect(readPreferences({})).toEqual(HOUSE_PREFERENCES);
  });
  it("of a wrong kind become the house's, not a crash", () => {
    const wire = { version: 3, document: { mouse: { left: 7, wheel: null }, keys: [], corners: { CT: { top_left: ["x", "zoom"] } }, cine: "no" } };
    const read = readPreferences(wire);
    expect(read).toEqual({ ...HOUSE_PREFERENCES, version: 3, corners: { CT: { ...HOUSE_CORNERS, top_left: ["zoom"] } } });
  });
});
