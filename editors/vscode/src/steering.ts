/** Steering: what the user says to a run while it works or rests. With one run that fits it is taken, with several a list asks which. */

import * as vscode from "vscode";
import { ago, fields, readRefusal, sentence } from "./protocol";
import { type Run, type Runs, words } from "./runs";
import type { Session } from "./session";
import type { Sessions } from "./sessions";

/** Sends a command and says what went wrong with it; whether it went well. */
export type Tell = (command: string, argument: object) => Promise<boolean>;

export const ICONS: Record<Run["standing"], string> = {
  working: "sync~spin",
  asking: "question",
  paused: "debug-pause",
  ended: "circle-slash",
};

export class Steering implements vscode.Disposable {
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly session: Session,
    private readonly runs: Runs,
    private readonly sessions: Sessions,
    private readonly tell: Tell,
  ) {
    this.subscriptions = [runs.onDidChange(() => this.keys()), runs.onDidList(() => this.keys())];
    this.keys();
  }

  /** The commands, by their ids. Each takes a run, where a view names one. */
  readonly commands: Record<string, (run: unknown) => Promise<unknown>> = {
    "assist.ui.pause": (given) => this.on("Pause Run", this.runs.live(), given, (run) => this.tell("assist.pause", { runId: run.id })),
    "assist.ui.cancel": (given) =>
      this.on("Stop Run", [...this.runs.live(), ...this.runs.resting()], given, (run) => this.tell("assist.cancel", { runId: run.id })),
    "assist.ui.resume": (given) => this.on("Resume Run", this.runs.resting(), given, (run) => this.tell("assist.resume", { runId: run.id })),
    "assist.ui.tell": (given) => this.on("Tell the Run", [...this.runs.live(), ...this.runs.resting()], given, (run) => this.words(run)),
    "assist.ui.follow": (given) => this.on("Show Run", [...this.runs.live(), ...this.runs.resting()], given, (run) => this.show(run)),
  };

  /** Shows the log of a run; one that works elsewhere is followed from now on. */
  async show(run: Run): Promise<void> {
    await this.sessions.show(run.id, run.title);
    await this.follow(run);
  }

  /** Has a run that works in another process told here as well. */
  async follow(run: Run): Promise<void> {
    if (run.followed || run.row === undefined || run.row.here || run.standing === "paused" || run.standing === "ended") return;
    this.runs.replay(run);
    try {
      const { following, last } = fields(await this.session.request("assist/attach", { runId: run.id, from: run.seq + 1 }));
      this.runs.replayUntil(run, following === true ? Number(last) || 0 : 0);
    } catch (error) {
      this.runs.replayUntil(run, 0);
      void vscode.window.showErrorMessage(sentence(readRefusal(error)));
    }
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private async words(run: Run): Promise<void> {
    const said = await vscode.window.showInputBox({
      title: `Assist: Tell the Run · ${run.title}`,
      prompt: run.standing === "paused" ? "It minds this when it goes on." : "It minds this with the next thing it asks its model.",
      placeHolder: "Use the test keys only…",
      ignoreFocusOut: true,
    });
    if (said === undefined || said.trim() === "") return;
    if (await this.tell("assist.tell", { runId: run.id, text: said.trim() })) {
      void vscode.window.setStatusBarMessage("$(check) Assist: passed on to the run", 5000);
    }
  }

  private async on(title: string, fitting: Run[], given: unknown, act: (run: Run) => Promise<unknown>): Promise<void> {
    const named = typeof given === "string" ? this.runs.get(given) : this.runs.get(String(fields(given).id ?? ""));
    const run = named ?? (await this.pick(title, fitting));
    if (run !== undefined) await act(run);
  }

  /** The one that fits, or the one that is chosen. */
  async pick(title: string, fitting: Run[]): Promise<Run | undefined> {
    if (fitting.length === 0) {
      void vscode.window.showInformationMessage(title === "Resume Run" ? "No run of Assist is paused here." : "Assist is not doing anything just now.");
      return undefined;
    }
    if (fitting.length === 1) return fitting[0];
    const rows = fitting.map((run) => ({
      label: `$(${ICONS[run.standing].replace("~spin", "")}) ${run.title || run.id}`,
      description: `${words(run)} · ${ago(run.began)}`,
      run,
    }));
    const placeHolder = "Which run?";
    return (await vscode.window.showQuickPick(rows, { title: `Assist: ${title}`, placeHolder, matchOnDescription: true }))?.run;
  }

  /** What the palette and the views offer depends on what there is. */
  private keys(): void {
    const set = (key: string, value: boolean): void => void vscode.commands.executeCommand("setContext", key, value);
    set("assist.hasLive", this.runs.live().length > 0);
    set("assist.hasResting", this.runs.resting().length > 0);
  }
}
