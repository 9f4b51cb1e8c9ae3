/** Elements of a file as rows, searched and compared with those of another file. */

export interface TagRow {
  /** The same element of two files has the same path. */
  readonly path: string;
  readonly depth: number;
  readonly tag: string;
  readonly vr: string;
  readonly keyword: string;
  readonly name: string;
  readonly value: string;
}

export interface ComparedRow extends TagRow {
  /** What the other file says there; null: it lacks the element; undefined: nothing is compared. */
  readonly other: string | null | undefined;
  /** Only the other file has the element. */
  readonly isOnlyOther: boolean;
  readonly differs: boolean;
}

/** As the search of the server: part of a tag, keyword, name or value, in any case. */
export function matchesTag(row: ComparedRow, search: string): boolean {
  const wanted = search.trim().toLowerCase();
  if (wanted === "") {
    return true;
  }
  const digits = wanted.replace(/[(),]/g, "");
  const texts = [row.keyword, row.name, row.value, row.other ?? ""];
  return texts.some((text) => text.toLowerCase().includes(wanted)) || row.tag.replace(/[(),]/g, "").startsWith(digits);
}

/** Rows of one file alone. */
export function uncompared(rows: readonly TagRow[]): ComparedRow[] {
  return rows.map((row) => ({ ...row, other: undefined, isOnlyOther: false, differs: false }));
}

/** The rows of both files in one order: each row beside the one of the same path. */
export function compareTags(rows: readonly TagRow[], others: readonly TagRow[]): ComparedRow[] {
  const byPath = new Map(others.map((row) => [row.path, row]));
  const seen = new Set(rows.map(({ path }) => path));
  const both = rows.map((row): ComparedRow => {
    const other = byPath.get(row.path)?.value ?? null;
    return { ...row, other, isOnlyOther: false, differs: other !== row.value };
  });
  const missing = others
    .filter(({ path }) => !seen.has(path))
    .map((row): ComparedRow => ({ ...row, value: "", other: row.value, isOnlyOther: true, differs: true }));
  return [...both, ...missing].sort((a, b) => comparePaths(a.path, b.path));
}

/** Tags in ascending order, items by their numbers, a sequence before what it holds. */
function comparePaths(one: string, other: string): number {
  const [a, b] = [one.split(/[[\].]+/), other.split(/[[\].]+/)];
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const [x, y] = [a[i] as string, b[i] as string];
    if (x !== y) {
      return i % 2 === 1 ? Number(x) - Number(y) : x < y ? -1 : 1;
    }
  }
  return a.length - b.length;
}
