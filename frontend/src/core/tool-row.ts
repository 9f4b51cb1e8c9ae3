/** Which things leave a row that is too narrow for all: the least wanted first, until the others have room. */

export interface InRow {
  readonly widthPx: number;
  /** What leaves first has the lowest; null stays whatever happens. */
  readonly leaves: number | null;
}

export interface RowGroup {
  /** What its padding and line take while anything of it stands in the row. */
  readonly aroundPx: number;
  readonly gapPx: number;
  readonly units: readonly InRow[];
}

/** `morePx` is taken by the button behind which they go, once one has gone. Equal ranks leave together. */
export function leavingRow(groups: readonly RowGroup[], roomPx: number, morePx: number): ReadonlySet<InRow> {
  const gone = new Set<InRow>();
  const units = groups.flatMap((group) => group.units).filter(({ widthPx }) => widthPx > 0);
  const ranks = [...new Set(units.flatMap(({ leaves }) => (leaves === null ? [] : [leaves])))].sort((a, b) => a - b);
  for (const rank of ranks) {
    if (takenPx(groups, gone) + (gone.size > 0 ? morePx : 0) <= roomPx) {
      break;
    }
    units.filter(({ leaves }) => leaves === rank).forEach((unit) => gone.add(unit));
  }
  return gone;
}

function takenPx(groups: readonly RowGroup[], gone: ReadonlySet<InRow>): number {
  return groups.reduce((taken, { aroundPx, gapPx, units }) => {
    const here = units.filter((unit) => unit.widthPx > 0 && !gone.has(unit));
    const widths = here.reduce((sum, { widthPx }) => sum + widthPx, 0);
    return here.length === 0 ? taken : taken + aroundPx + widths + gapPx * (here.length - 1);
  }, 0);
}
