/** Which frames to fetch next: the visible one, then outward, three steps ahead for each one back. */

const AHEAD_FOR_EACH_BACK = 3;

/** Stack indices in the order of need, at most `limit`, starting with `current`. */
export function orderOfNeed(count: number, current: number, direction: 1 | -1, limit: number): number[] {
  const order: number[] = [];
  let ahead = current;
  let back = current - direction;
  const isInside = (index: number): boolean => index >= 0 && index < count;
  while (order.length < limit && (isInside(ahead) || isInside(back))) {
    for (let step = 0; step < AHEAD_FOR_EACH_BACK && isInside(ahead); step += 1) {
      order.push(ahead);
      ahead += direction;
    }
    if (isInside(back)) {
      order.push(back);
      back -= direction;
    }
  }
  return order.slice(0, limit);
}

/** Indices as the server reads them: runs as "a-b", in the asked order. */
export function describeIndices(indices: readonly number[]): string {
  const runs: string[] = [];
  let start = 0;
  for (let i = 1; i <= indices.length; i += 1) {
    if (i < indices.length && indices[i] === (indices[i - 1] as number) + 1) {
      continue;
    }
    const [first, last] = [indices[start] as number, indices[i - 1] as number];
    runs.push(first === last ? `${first}` : `${first}-${last}`);
    start = i;
  }
  return runs.join(",");
}
