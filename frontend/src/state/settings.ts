/** Keeps the reader's settings: in force at once, sent a moment later, told when that fails. */

import { keysOf, type Preferences } from "../core/preferences";

const PAUSE_MS = 400;

export interface SettingsStore {
  /** Stores settings and answers with what is stored now; an error's message says why not. */
  save(wish: Preferences): Promise<Preferences>;
  /** What is stored, when `error` says that another page was faster; else null. */
  renew(error: unknown): Promise<Preferences> | null;
}

export class SettingsKeeper {
  problem = "";
  private found: { readonly own: Preferences["keys"]; readonly keys: ReadonlyMap<string, readonly string[]> } | null = null;
  isSaving = false;
  private house: ReadonlyMap<string, readonly string[]> = new Map();
  private pause: ReturnType<typeof setTimeout> | undefined;
  private isSending = false;
  private isChanged = false;
  /** Of what is stored. Settings that were stored stay the same object: nothing is to be drawn anew. */
  private version: Preferences["version"];

  constructor(
    private current: Preferences,
    private readonly store: SettingsStore,
    private readonly onChange: () => void,
  ) {
    this.version = current.version;
  }

  get preferences(): Preferences {
    return this.current;
  }

  /** The commands there are, with the keys of the house. */
  learn(house: ReadonlyMap<string, readonly string[]>): void {
    this.house = house;
    this.found = null;
  }

  /** The keys of every command; asked for in every frame by all that names them, and so kept. */
  keys(): ReadonlyMap<string, readonly string[]> {
    const { keys: own } = this.current;
    if (this.found === null || this.found.own !== own) {
      this.found = { own, keys: keysOf(this.house, own) };
    }
    return this.found.keys;
  }

  change(part: Partial<Preferences>): void {
    this.current = { ...this.current, ...part };
    this.isChanged = true;
    this.isSaving = true;
    clearTimeout(this.pause);
    this.pause = setTimeout(() => void this.save(), PAUSE_MS);
    this.onChange();
  }

  /** One request at a time; what was changed meanwhile goes with the next. */
  private async save(): Promise<void> {
    if (this.isSending) {
      return;
    }
    this.isSending = true;
    while (this.isChanged) {
      this.isChanged = false;
      try {
        this.version = (await this.store.save({ ...this.current, version: this.version })).version;
        this.problem = "";
      } catch (error) {
        this.problem = error instanceof Error ? error.message : "";
        this.adopt(await this.renewed(error));
        break;
      }
    }
    this.isSending = false;
    this.isSaving = false;
    this.onChange();
  }

  private adopt(stored: Preferences | null): void {
    if (stored !== null) {
      this.current = stored;
      this.version = stored.version;
    }
  }

  private async renewed(error: unknown): Promise<Preferences | null> {
    try {
      return await this.store.renew(error);
    } catch {
      return null;
    }
  }
}
