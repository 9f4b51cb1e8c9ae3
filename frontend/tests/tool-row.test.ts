import { describe, expect, it } from "vitest";

import { leavingRow, type InRow, type RowGroup } from "../src/core/tool-row";

const unit = (leaves: number | null, widthPx = 48): InRow => ({ widthPx, leaves });

describe("a row of tools", () => {
  const [scroll, pan, length, repeat, speed] = [unit(null), unit(5), unit(null), unit(1), unit(1, 80)];
  const groups: RowGroup[] = [
    { aroundPx: 10, gapPx: 2, units: [scroll, pan, length] },
    { aroundPx: 10, gapPx: 2, units: [repeat, speed] },
  ];

  it("keeps everything while there is room for everything", () => {
    // 10 + 3 × 48 + 2 × 2 and 10 + 48 + 80 + 2.
    expect(leavingRow(groups, 298, 60).size).toBe(0);
  });

  it("lets the least wanted go together, with the room around their group", () => {
    expect(leavingRow(groups, 297, 60)).toEqual(new Set([repeat, speed]));
    expect(leavingRow(groups, 158 + 60, 60)).toEqual(new Set([repeat, speed]));
  });

  it("counts the button behind which they go, and never sends away what must stay", () => {
    expect(leavingRow(groups, 158 + 59, 60)).toEqual(new Set([repeat, speed, pan]));
    expect(leavingRow(groups, 20, 60)).toEqual(new Set([repeat, speed, pan]));
  });

  it("sends nothing away that is not seen anyway", () => {
    const hidden = unit(1, 0);
    expect(leavingRow([{ aroundPx: 0, gapPx: 0, units: [hidden, scroll] }], 10, 5).size).toBe(0);
  });
});
