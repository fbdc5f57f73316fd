/** The input box that asks what to do, with earlier prompts on the arrow keys. */

import * as vscode from "vscode";
import type { PromptHistory, Walk } from "./history";

const ASKING = "assist.asking";

export interface Question {
  title: string;
  placeholder: string;
  /** What the words are about, such as "App.tsx, lines 5–7". */
  about: string;
}

export class PromptBox implements vscode.Disposable {
  private open: { box: vscode.InputBox; walk: Walk } | undefined;
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly history: PromptHistory) {
    this.subscriptions = [
      vscode.commands.registerCommand("assist.ui.earlierPrompt", () => this.earlier()),
      vscode.commands.registerCommand("assist.ui.laterPrompt", () => this.later()),
    ];
  }

  /** Asks; nothing when the user thinks better of it. */
  async ask(question: Question): Promise<string | undefined> {
    this.open?.box.hide();
    const box = vscode.window.createInputBox();
    const hasHistory = this.history.all().length > 0;
    box.title = question.title;
    box.placeholder = question.placeholder;
    box.prompt = hasHistory ? `${question.about} · ↑ for earlier prompts` : question.about;
    box.ignoreFocusOut = true;
    if (hasHistory) box.buttons = [{ iconPath: new vscode.ThemeIcon("history"), tooltip: "Earlier prompt (↑)" }];
    const opened = { box, walk: this.history.walk() };
    this.open = opened;
    void vscode.commands.executeCommand("setContext", ASKING, true);
    const prompt = await new Promise<string | undefined>((resolve) => {
      box.onDidTriggerButton(() => this.earlier());
      box.onDidAccept(() => {
        const value = box.value.trim();
        if (value === "") {
          box.validationMessage = "Say what should be done, or press Escape.";
          return;
        }
        resolve(value);
        box.hide();
      });
      box.onDidChangeValue(() => (box.validationMessage = undefined));
      box.onDidHide(() => resolve(undefined));
      box.show();
    });
    box.dispose();
    if (this.open === opened) {
      this.open = undefined;
      void vscode.commands.executeCommand("setContext", ASKING, false);
    }
    if (prompt !== undefined) await this.history.add(prompt);
    return prompt;
  }

  dispose(): void {
    this.open?.box.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private earlier(): void {
    if (this.open === undefined) return;
    const { box, walk } = this.open;
    show(box, walk.earlier(box.value));
  }

  private later(): void {
    if (this.open === undefined) return;
    show(this.open.box, this.open.walk.later());
  }
}

function show(box: vscode.InputBox, value: string | undefined): void {
  if (value === undefined) return;
  box.value = value;
  box.valueSelection = [value.length, value.length];
  box.validationMessage = undefined;
}
