/** The item in the status bar: how Assist stands, and on a click what can be done about it. */

import * as vscode from "vscode";
import type { Questions } from "./questions";
import { ago } from "./protocol";
import { type Change, type Run, type Runs, words } from "./runs";
import type { Session } from "./session";

interface Entry extends vscode.QuickPickItem {
  act?: () => unknown;
}

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("assist.status", vscode.StatusBarAlignment.Right, 100);
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly session: Session,
    private readonly runs: Runs,
    private readonly questions: Questions,
  ) {
    this.item.name = "Assist";
    this.item.command = "assist.ui.status";
    this.subscriptions = [session.onDidChange(() => this.draw()), runs.onDidList(() => this.draw()), runs.onDidChange((change) => this.note(change))];
    this.draw();
    this.item.show();
  }

  dispose(): void {
    this.item.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  /** What can be done now. */
  async menu(): Promise<void> {
    const ui = (command: string) => () => vscode.commands.executeCommand(command);
    const entries: Entry[] = [];
    const group = (label: string, ...items: Entry[]): void => {
      if (items.length > 0) entries.push({ label, kind: vscode.QuickPickItemKind.Separator }, ...items);
    };
    const steer = (command: string, run: Run) => () => vscode.commands.executeCommand(command, run);
    const live = this.runs.live();
    group(
      "runs",
      ...live.flatMap((run): Entry[] => {
        const name = run.title || run.id;
        const answers = this.questions.answers(run).map(({ label, act }) => ({ label: `$(question) ${label}`, description: run.question?.text ?? "", act }));
        return [
          ...answers,
          { label: `$(list-flat) Show: ${name}`, description: `${words(run)} · ${ago(run.began)}`, act: steer("assist.ui.follow", run) },
          { label: `$(comment) Tell…: ${name}`, description: run.message, act: steer("assist.ui.tell", run) },
          { label: `$(debug-pause) Pause: ${name}`, act: steer("assist.ui.pause", run) },
          { label: `$(debug-stop) Stop: ${name}`, act: steer("assist.ui.cancel", run) },
        ];
      }),
      ...this.runs.resting().map((run): Entry => ({ label: `$(debug-continue) Resume: ${run.title || run.id}`, description: `${words(run)} · ${ago(run.began)}`, act: steer("assist.ui.resume", run) })),
    );
    if (this.session.link === "ready") {
      group(
        "ask",
        { label: "$(sparkle) Ask Assist…", description: "about the selection, the file or the workspace", act: ui("assist.ui.ask") },
        { label: "$(comment-discussion) Talk about the Workspace…", description: "plans before it builds", act: ui("assist.ui.talk") },
        { label: "$(book) Explain", act: ui("assist.ui.explain") },
      );
      group(
        "history",
        { label: "$(discard) Undo the Last Run", act: ui("assist.ui.undo") },
        { label: "$(history) Sessions…", act: ui("assist.ui.sessions") },
      );
    }
    const { status } = this.session;
    const server: Entry[] = [];
    if (this.session.link === "ready" || status !== undefined) {
      server.push({ label: "$(key) Set API Key…", description: keyNote(this.session), act: ui("assist.ui.setKey") });
    }
    server.push(
      { label: "$(settings-gear) Settings", act: () => vscode.commands.executeCommand("workbench.action.openSettings", "assist.") },
      { label: "$(debug-restart) Restart Server", description: this.session.problem, act: ui("assist.ui.restart") },
      { label: "$(output) Show Log", act: ui("assist.ui.showLog") },
    );
    group("server", ...server);
    const chosen = await vscode.window.showQuickPick(entries, { title: `Assist: ${this.words()}`, placeHolder: "What would you like to do?" });
    await chosen?.act?.();
  }

  private words(): string {
    const { link, status, problem } = this.session;
    if (link === "missing" || link === "failed" || link === "stopped") return problem || "the server is not running";
    if (link === "starting") return "starting";
    if (status !== undefined && !status.ready) return status.problem ?? "no model can be reached";
    const model = [status?.provider, status?.model].filter(Boolean).join(" · ");
    const open = this.runs.live();
    if (open.length === 0) return model === "" ? "ready" : `ready · ${model}`;
    return `${open.length} run${open.length === 1 ? "" : "s"} under way${model === "" ? "" : ` · ${model}`}`;
  }

  private note({ run, event }: Change): void {
    this.draw();
    // What failed comes as a message; what went well needs a word, but no answer.
    if (event?.type !== "completed" || run.changedFiles.length === 0 || run.standing !== "ended") return;
    if (run.state === "done") vscode.window.setStatusBarMessage(`$(check) ${run.summary || "Assist is done."}`, 8000);
  }

  private draw(): void {
    const { link, status } = this.session;
    const open = this.runs.open();
    const asking = open.some((run) => run.standing === "asking");
    let label = "$(sparkle) Assist";
    let colour: string | undefined;
    if (link === "missing" || link === "failed" || link === "stopped") {
      label = "$(error) Assist";
      colour = "statusBarItem.errorBackground";
    } else if (link === "starting") label = "$(loading~spin) Assist";
    else if (asking) {
      label = "$(question) Assist asks";
      colour = "statusBarItem.warningBackground";
    } else if (open.length > 0) label = `$(loading~spin) Assist${open.length > 1 ? ` ${open.length}` : ""}`;
    else if (this.runs.live().length > 0) label = `$(server-process) Assist ${this.runs.live().length}`;
    else if (status !== undefined && !status.ready) {
      label = "$(key) Assist: no key";
      colour = "statusBarItem.warningBackground";
    }
    this.item.text = label;
    this.item.backgroundColor = colour === undefined ? undefined : new vscode.ThemeColor(colour);
    const lines = [`Assist: ${this.words()}`, ...this.runs.live().map((run) => [run.title, run.question?.text ?? (run.message || words(run))].filter(Boolean).join(": "))];
    this.item.tooltip = lines.join("\n");
    this.item.accessibilityInformation = { label: `Assist, ${this.words()}` };
  }
}

function keyNote(session: Session): string {
  const { status } = session;
  if (status === undefined) return "";
  return status.ready ? `${status.provider ?? ""} is set up`.trim() : (status.fix ?? "none is set");
}
