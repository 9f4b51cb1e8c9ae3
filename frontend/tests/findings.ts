import type { Finding } from "../src/core/findings";

/** A length on the first frame, with what the test says about it. */
export function finding(says: Partial<Finding> = {}): Finding {
  return {
    key: "a",
    family: "measurement",
    kind: "length",
    seriesId: "series",
    instanceId: "instance",
    sopInstanceUid: "1.2.3",
    frame: 0,
    plane: null,
    points: [[0, 0], [3, 4]],
    label: "",
    layer: "",
    text: "",
    knownMm: null,
    colour: "",
    isVisible: true,
    ...says,
  };
}
