/**
 * Filters for the eye, on windowed 8-bit grey: the same formulas as `imaging.enhance`, held to
 * `tests/golden/enhance.json`. They run in a worker (`render/enhance-worker.ts`).
 */

/** In the order in which they are applied. */
export const FILTERS = ["denoise", "clahe", "sharpen", "edges"] as const;
export type FilterName = (typeof FILTERS)[number];

/** Strength from 0.1 to 3; 1 is the usual one. */
export interface Filter {
  readonly name: FilterName;
  readonly strength: number;
}

export const LEAST_STRENGTH = 0.1;
export const MOST_STRENGTH = 3;

interface Plane {
  readonly grey: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Filters one or three samples a pixel; in colour the luminance, whose change goes to each channel. */
export function applyFilters(
  samples: Uint8Array,
  width: number,
  height: number,
  filters: readonly Filter[],
): Uint8Array {
  if (samples.length !== width * height) {
    return applyToColour(samples, width, height, filters);
  }
  const ordered = [...filters].sort((a, b) => FILTERS.indexOf(a.name) - FILTERS.indexOf(b.name));
  return ordered.reduce((grey, { name, strength }) => APPLY[name]({ grey, width, height }, strength), samples);
}

function applyToColour(samples: Uint8Array, width: number, height: number, filters: readonly Filter[]): Uint8Array {
  const light = new Uint8Array(width * height);
  light.forEach((_zero, i) => {
    const [red, green, blue] = samples.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number];
    light[i] = rounded(0.299 * red + 0.587 * green + 0.114 * blue);
  });
  const filtered = applyFilters(light, width, height, filters);
  return samples.map((value, i) => {
    const at = Math.floor(i / 3);
    return Math.min(255, Math.max(0, value + (filtered[at] as number) - (light[at] as number)));
  });
}

const APPLY: Readonly<Record<FilterName, (plane: Plane, strength: number) => Uint8Array>> = {
  denoise: bilateral,
  clahe,
  /** Unsharp mask: g + s (g − G1). */
  sharpen: (plane, strength) => {
    const soft = gaussian(plane, 1);
    return plane.grey.map((value, i) => rounded(value + strength * (value - (soft[i] as number))));
  },
  /** A boost of what lies between two scales: g + 2 s (G1 − G3). */
  edges: (plane, strength) => {
    const [fine, coarse] = [gaussian(plane, 1), gaussian(plane, 3)];
    return plane.grey.map((value, i) => rounded(value + 2 * strength * ((fine[i] as number) - (coarse[i] as number))));
  },
};

function rounded(value: number): number {
  return Math.floor(Math.min(255, Math.max(0, value)) + 0.5);
}

/** The mirrored place: … 2 1 0 1 2 … */
function reflect(at: number, length: number): number {
  let place = at;
  while (length > 1 && (place < 0 || place >= length)) {
    place = place < 0 ? -place : 2 * (length - 1) - place;
  }
  return length > 1 ? place : 0;
}

/** A Gaussian, cut off at three sigma, edges mirrored. */
function gaussian({ grey, width, height }: Plane, sigma: number): Float32Array {
  const radius = 3 * sigma;
  const weights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)));
  const sum = weights.reduce((a, b) => a + b, 0);
  const kernel = Float64Array.from(weights, (weight) => weight / sum);
  const columns = Int32Array.from({ length: width + 2 * radius }, (_, i) => reflect(i - radius, width));
  const across = new Float32Array(grey.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let total = 0;
      for (let k = 0; k < kernel.length; k += 1) {
        total += (kernel[k] as number) * (grey[y * width + (columns[x + k] as number)] as number);
      }
      across[y * width + x] = total;
    }
  }
  const down = new Float32Array(grey.length);
  for (let y = 0; y < height; y += 1) {
    for (let k = 0; k < kernel.length; k += 1) {
      const from = reflect(y + k - radius, height) * width;
      const weight = kernel[k] as number;
      for (let x = 0; x < width; x += 1) {
        down[y * width + x] = (down[y * width + x] as number) + weight * (across[from + x] as number);
      }
    }
  }
  return down;
}

const BILATERAL_RADIUS = 3;

/** Bilateral: spatial sigma 2 within a radius of 3 pixels, range sigma 15 grey levels a strength. */
function bilateral({ grey, width, height }: Plane, strength: number): Uint8Array {
  const alike = Float64Array.from({ length: 256 }, (_, d) => Math.exp(-(d * d) / (2 * (15 * strength) ** 2)));
  const offsets: { dx: number; dy: number; weight: number }[] = [];
  for (let dy = -BILATERAL_RADIUS; dy <= BILATERAL_RADIUS; dy += 1) {
    for (let dx = -BILATERAL_RADIUS; dx <= BILATERAL_RADIUS; dx += 1) {
      const square = dx * dx + dy * dy;
      if (square <= BILATERAL_RADIUS ** 2) {
        offsets.push({ dx, dy, weight: Math.exp(-square / 8) });
      }
    }
  }
  const columns = Int32Array.from({ length: width + 2 * BILATERAL_RADIUS }, (_, i) => reflect(i - BILATERAL_RADIUS, width));
  const rows = Int32Array.from({ length: height + 2 * BILATERAL_RADIUS }, (_, i) => reflect(i - BILATERAL_RADIUS, height) * width);
  const result = new Uint8Array(grey.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const middle = grey[y * width + x] as number;
      let [total, weights] = [0, 0];
      for (const { dx, dy, weight } of offsets) {
        const value = grey[(rows[y + dy + BILATERAL_RADIUS] as number) + (columns[x + dx + BILATERAL_RADIUS] as number)] as number;
        const share = weight * (alike[Math.abs(value - middle)] as number);
        total += share * value;
        weights += share;
      }
      result[y * width + x] = rounded(total / weights);
    }
  }
  return result;
}

const TILES = 8;

/** CLAHE over 8 by 8 tiles, clipped at 2 (a strength) times the mean; as OpenCV does it. */
function clahe(plane: Plane, strength: number): Uint8Array {
  const { grey, width, height } = plane;
  const isWhole = width % TILES === 0 && height % TILES === 0;
  const tileWidth = (isWhole ? width : width + TILES - (width % TILES)) / TILES;
  const tileHeight = (isWhole ? height : height + TILES - (height % TILES)) / TILES;
  const tables = Array.from({ length: TILES * TILES }, (_, tile) =>
    tileTable(plane, (tile % TILES) * tileWidth, Math.floor(tile / TILES) * tileHeight, tileWidth, tileHeight, 2 * strength),
  );
  const across = placesOf(width, tileWidth);
  const down = placesOf(height, tileHeight);
  const result = new Uint8Array(grey.length);
  for (let y = 0; y < height; y += 1) {
    const v = down[y] as TilePlace;
    for (let x = 0; x < width; x += 1) {
      const h = across[x] as TilePlace;
      const value = grey[y * width + x] as number;
      const at = (row: number, column: number): number => (tables[row * TILES + column] as Uint8Array)[value] as number;
      const upper = at(v.first, h.first) * (1 - h.share) + at(v.first, h.second) * h.share;
      const lower = at(v.second, h.first) * (1 - h.share) + at(v.second, h.second) * h.share;
      result[y * width + x] = rounded(upper * (1 - v.share) + lower * v.share);
    }
  }
  return result;
}

interface TilePlace {
  readonly first: number;
  readonly second: number;
  readonly share: number;
}

function placesOf(length: number, tile: number): TilePlace[] {
  return Array.from({ length }, (_, i) => {
    const place = i / tile - 0.5;
    const first = Math.floor(place);
    return { first: Math.max(first, 0), second: Math.min(first + 1, TILES - 1), share: place - first };
  });
}

function tileTable(
  { grey, width, height }: Plane,
  left: number,
  top: number,
  tileWidth: number,
  tileHeight: number,
  clip: number,
): Uint8Array {
  const counts = new Int32Array(256);
  for (let y = top; y < top + tileHeight; y += 1) {
    const row = reflect(y, height) * width;
    for (let x = left; x < left + tileWidth; x += 1) {
      const value = grey[row + reflect(x, width)] as number;
      counts[value] = (counts[value] as number) + 1;
    }
  }
  const area = tileWidth * tileHeight;
  const limit = Math.max(1, Math.floor((clip * area) / 256));
  let clipped = 0;
  counts.forEach((count, i) => {
    clipped += Math.max(0, count - limit);
    counts[i] = Math.min(count, limit);
  });
  const batch = Math.floor(clipped / 256);
  let residual = clipped - batch * 256;
  const step = residual > 0 ? Math.max(1, Math.floor(256 / residual)) : 256;
  for (let i = 0; i < 256; i += 1) {
    counts[i] = (counts[i] as number) + batch;
    if (residual > 0 && i % step === 0) {
      counts[i] = (counts[i] as number) + 1;
      residual -= 1;
    }
  }
  let sum = 0;
  return Uint8Array.from(counts, (count) => rounded(((sum += count) * 255) / area));
}
