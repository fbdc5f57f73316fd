/** The view of runs: what works, waits and rests in this workspace, wherever it does, and what has ended in this window. */

import * as vscode from "vscode";
import { ago } from "./protocol";
import { type Run, type Runs, words } from "./runs";
import type { Session } from "./session";
import { ICONS } from "./steering";

/** How many ended runs are listed. */
const ENDED = 10;
const ORDER: Run["standing"][] = ["asking", "working", "paused", "ended"];
const REDRAW_MS = 100;
/** Ages are told in minutes. */
const AGE_MS = 60_000;

export class RunsView implements vscode.TreeDataProvider<Run>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly view: vscode.TreeView<Run>;
  private readonly subscriptions: vscode.Disposable[];
  private redraw: NodeJS.Timeout | undefined;
  private readonly aging: NodeJS.Timeout;

  constructor(
    private readonly runs: Runs,
    session: Session,
  ) {
    this.view = vscode.window.createTreeView("assist.runs", { treeDataProvider: this, showCollapseAll: false });
    this.subscriptions = [this.changed, this.view, runs.onDidChange(() => this.soon()), runs.onDidList(() => this.soon()), session.onDidChange(() => this.keys(session))];
    this.aging = setInterval(() => this.view.visible && this.soon(), AGE_MS);
    this.keys(session);
  }

  getTreeItem(run: Run): vscode.TreeItem {
    const item = new vscode.TreeItem(run.title || run.id, vscode.TreeItemCollapsibleState.None);
    const doing = run.standing === "working" && run.message !== "" ? run.message : words(run);
    item.id = run.id;
    item.description = [doing, ago(run.began)].filter(Boolean).join(" · ");
    item.iconPath = icon(run);
    item.contextValue = run.standing === "working" || run.standing === "asking" ? "live" : run.standing;
    if (run.standing === "ended" && run.changedFiles.length > 0) item.contextValue = "changed";
    item.tooltip = [run.title, words(run), run.question?.text ?? run.summary, ...run.changedFiles].filter(Boolean).join("\n");
    item.accessibilityInformation = { label: `${run.title}, ${words(run)}, ${ago(run.began)}` };
    item.command = { command: "assist.ui.follow", title: "Show Run", arguments: [run] };
    return item;
  }

  getChildren(run?: Run): Run[] {
    if (run !== undefined) return [];
    const all = this.runs.all();
    const ended = all.filter(({ standing }) => standing === "ended").slice(0, ENDED);
    return ORDER.flatMap((standing) => (standing === "ended" ? ended : all.filter((each) => each.standing === standing)));
  }

  dispose(): void {
    clearTimeout(this.redraw);
    clearInterval(this.aging);
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private soon(): void {
    this.redraw ??= setTimeout(() => {
      this.redraw = undefined;
      const live = this.runs.live().length;
      this.view.badge = live === 0 ? undefined : { value: live, tooltip: `${live} run${live === 1 ? "" : "s"} of Assist under way` };
      this.changed.fire();
    }, REDRAW_MS);
  }

  private keys({ link, status }: Session): void {
    const standing = link !== "ready" && link !== "starting" ? "noServer" : status !== undefined && !status.ready ? "noModel" : "ready";
    void vscode.commands.executeCommand("setContext", "assist.standing", standing);
  }
}

function icon(run: Run): vscode.ThemeIcon {
  if (run.standing === "asking") return new vscode.ThemeIcon("question", new vscode.ThemeColor("notificationsWarningIcon.foreground"));
  if (run.standing !== "ended") return new vscode.ThemeIcon(ICONS[run.standing]);
  if (run.state === "done" || run.state === "approved") return new vscode.ThemeIcon("pass", new vscode.ThemeColor("testing.iconPassed"));
  return run.state === "failed" ? new vscode.ThemeIcon("error", new vscode.ThemeColor("testing.iconFailed")) : new vscode.ThemeIcon("circle-slash");
}
