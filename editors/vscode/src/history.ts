/** Earlier prompts, newest first, kept per workspace. */

const MOST = 50;

/** Where the prompts are kept; VS Code's `Memento` is one. */
export interface Shelf {
  get(key: string): unknown;
  update(key: string, value: unknown): Thenable<void>;
}

export class PromptHistory {
  constructor(
    private readonly shelf: Shelf,
    private readonly key = "assist.prompts",
  ) {}

  all(): string[] {
    const kept = this.shelf.get(this.key);
    return Array.isArray(kept) ? kept.filter((item): item is string => typeof item === "string") : [];
  }

  async add(prompt: string): Promise<void> {
    const others = this.all().filter((earlier) => earlier !== prompt);
    await this.shelf.update(this.key, [prompt, ...others].slice(0, MOST));
  }

  /** A walk through the history, as the arrow keys do in a shell. What was typed before it began comes back at its end. */
  walk(): Walk {
    return new Walk(this.all());
  }
}

export class Walk {
  private at = -1;
  private typed = "";

  constructor(private readonly prompts: readonly string[]) {}

  /** The prompt before the one now shown; nothing when there is none. */
  earlier(shown: string): string | undefined {
    if (this.at + 1 >= this.prompts.length) return undefined;
    if (this.at === -1) this.typed = shown;
    this.at += 1;
    return this.prompts[this.at];
  }

  /** The prompt after the one now shown, at last what the user had typed. */
  later(): string | undefined {
    if (this.at === -1) return undefined;
    this.at -= 1;
    return this.at === -1 ? this.typed : this.prompts[this.at];
  }
}
