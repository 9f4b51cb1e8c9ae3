/** A file that a person chose, with its path in the folder they chose. */
export interface Chosen {
  file: File;
  path: string;
}

export function fromInput(input: HTMLInputElement): Chosen[] {
  return [...(input.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/** Find every file in what was dropped, through all folders. */
export async function readDrop(items: DataTransferItemList, onCount: (count: number) => void): Promise<Chosen[]> {
  const found: Chosen[] = [];
  // Entries must be taken before the first pause: afterwards the list is empty.
  const waiting = [...items].flatMap((item) => {
    const entry = item.webkitGetAsEntry();
    const file = entry ? null : item.getAsFile();
    if (file) {
      found.push({ file, path: file.name });
    }
    return entry ? [entry] : [];
  });
  while (waiting.length) {
    const entry = waiting.pop();
    if (entry instanceof FileSystemDirectoryEntry) {
      waiting.push(...(await readFolder(entry)));
    } else if (entry instanceof FileSystemFileEntry) {
      const file = await new Promise<File | null>((resolve) => entry.file(resolve, () => resolve(null)));
      if (file) {
        found.push({ file, path: entry.fullPath.replace(/^\//, "") });
      }
    }
    if (found.length % 50 === 0) {
      onCount(found.length);
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A folder gives its entries in portions; an empty one is the end. */
async function readFolder(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) {
      return all;
    }
    all.push(...some);
  }
}
